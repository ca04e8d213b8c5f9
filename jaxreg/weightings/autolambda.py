"""Weights by what each task's gradient does for the tasks that matter."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from jaxreg._linalg import matmul
from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike, PyTree
from jaxreg.weightings._base import Stateful, keep, start, vector, within
from jaxreg.weightings._gram import split, square


@pytree
class AutoLambda(Stateful):
    """Weights that descend the primary tasks' loss one step ahead: wᵢ += rate Σⱼ primaryⱼ cos(gᵢ, gⱼ), kept >= 0.

    Auto-Lambda (Liu et al. 2022) on the Gramian: the derivative of Σⱼ primaryⱼ lossⱼ(θ - ε Σ wᵢgᵢ) in wᵢ
    is -ε Σⱼ primaryⱼ gᵢ·gⱼ to first order, here with unit gradients, so that `rate` is free of scale, and on the batch
    of the gradients themselves. `primary` (T,) says which tasks matter, all by default. The state is the weights.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.weightings.AutoLambda()(jnp.eye(2)).tolist()
    [1.0, 1.0]
    """

    rate: ArrayLike = 0.01
    primary: ArrayLike = 1.0

    def init(self, tasks: int, like: PyTree = 0.0) -> Array:
        """Unit weights."""
        return start(tasks, like, 1.0)

    def update(
        self, gramian: ArrayLike, state: Any, losses: ArrayLike | None = None, key: Array | None = None
    ) -> tuple[Array, Any]:
        """The weights, and those of the next step."""
        G = square(gramian)
        gram = split(G)
        dtype = gram.norms.dtype
        w = jnp.asarray(state, dtype)
        primary = jnp.where(gram.present, vector(self.primary, len(G), dtype), 0.0)
        moved = jnp.maximum(w + jnp.asarray(self.rate, dtype) * matmul(gram.cosines, primary), 0.0)
        return jnp.where(gram.present, w, 0.0).astype(G.dtype), keep(gram.present, moved, jnp.asarray(state))

    def check(self) -> None:
        """Raise ValueError unless rate > 0 and primary >= 0."""
        within(self, "rate", 0.0, strict=True)
        within(self, "primary", 0.0)
