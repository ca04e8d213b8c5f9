"""Gradient vaccine: gradients are turned towards the similarity that two tasks have had so far."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxreg._linalg import einsum, matmul
from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike, PyTree
from jaxreg.weightings._base import Stateful, keep, start, within
from jaxreg.weightings._gram import split, square
from jaxreg.weightings._order import orders


@pytree
class GradVac(Stateful):
    """The sum of the gradients, each turned until its cosine with the others is at least their running mean.

    For every i and every other j in random order, with φ = cos(gᵢ, gⱼ) below the target φ̂ᵢⱼ: gᵢ += gⱼ ‖gᵢ‖(φ̂√(1 - φ²) -
    φ√(1 - φ̂²)) / (‖gⱼ‖√(1 - φ̂²)); then φ̂ᵢⱼ moves by `rate` towards φ (Wang et al. 2021). Targets start at
    0, where this is PCGrad. Without a key the order is that of the tasks. The state is φ̂ (T, T).

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.weightings.GradVac()(jnp.array([[1.0, -0.5], [-0.5, 1.0]])).round(4).tolist()
    [1.5, 1.5]
    """

    rate: ArrayLike = 0.01
    random = True

    def init(self, tasks: int, like: PyTree = 0.0) -> Array:
        """Targets of 0."""
        return jnp.tile(start(tasks, like)[None], (tasks, 1))

    def update(
        self, gramian: ArrayLike, state: Any, losses: ArrayLike | None = None, key: Array | None = None
    ) -> tuple[Array, Any]:
        """The weights, and the targets after this step."""
        G = square(gramian)
        gram = split(G)
        C, tiny = gram.cosines, jnp.finfo(gram.norms.dtype).eps
        rate = jnp.asarray(self.rate, C.dtype)

        def turned(first: Array, targets: Array, there: Array, order: Array) -> tuple[Array, Array]:
            def turn(k: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
                units, targets = carry
                j = order[k]
                size = jnp.sqrt(jnp.maximum(einsum("i,ij,j->", units, C, units), 0.0))
                met = jnp.clip(matmul(units, C[j]) / jnp.where(size > 0, size, 1.0), -1.0, 1.0)
                wanted = targets[j]
                sine, sine_wanted = jnp.sqrt(1 - met**2), jnp.sqrt(jnp.maximum(1 - wanted**2, tiny))
                lift = size * (wanted * sine - met * sine_wanted) / sine_wanted
                other = there[j]
                units = units.at[j].add(jnp.where(other & (met < wanted), lift, 0.0))
                return units, targets.at[j].add(jnp.where(other, rate * (met - wanted), 0.0))

            return jax.lax.fori_loop(0, len(G), turn, (first, targets))

        pairs = gram.present[:, None] & gram.present[None, :] & ~jnp.eye(len(G), dtype=bool)
        sizes = jnp.where(gram.present, gram.norms, 0.0)
        old = jnp.asarray(state)
        units, targets = jax.vmap(turned)(jnp.diag(sizes), old.astype(C.dtype), pairs, orders(key, len(G)))
        return gram.weights(jnp.sum(units, 0), G.dtype), keep(pairs, targets, old)

    def check(self) -> None:
        """Raise ValueError unless 0 <= rate < 1."""
        within(self, "rate", 0.0, 1.0)
