"""Gradients corrected for the bias of small batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxreg._linalg import matmul, widen
from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike, PyTree
from jaxreg.weightings._base import Rowwise, keep, start, within
from jaxreg.weightings._rows import gramian_of, weighted_sum


class MoCoState(NamedTuple):
    """The tracked rows, the weights, and the number of steps taken."""

    rows: tuple[Array, ...]
    weights: Array
    taken: Array


@pytree
class MoCo(Rowwise):
    """Σ wᵢ yᵢ, where y tracks the gradients and w takes one projected step towards the shortest such mixture a call.

    y += track/√t (g - y), w = proj_simplex(w - rate/√t (YY' + ridge I) w) (Fernando et al. 2023). YY' is
    divided by its largest entry, so that `rate` is free of scale. The state holds T rows.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> moco, rows = jr.weightings.MoCo(track=1.0), [jnp.array([[1.0, 0.0], [0.0, 1.0]])]
    >>> moco.combine(rows, moco.init(2, [jnp.zeros(2)]))[0][0].tolist()
    [0.5, 0.5]
    """

    track: ArrayLike = 0.5
    rate: ArrayLike = 0.1
    ridge: ArrayLike = 0.0
    stateful = True

    def init(self, tasks: int, like: PyTree = 0.0) -> MoCoState:
        """Rows of zeros in the form of the parameters, equal weights."""
        rows = tuple(jnp.zeros((tasks, *jnp.shape(x)), start(1, x).dtype) for x in jax.tree.leaves(like))
        return MoCoState(rows, start(tasks, like, 1 / tasks), jnp.zeros((), jnp.int32))

    def combine(
        self, rows: Sequence[Array], state: Any, losses: ArrayLike | None = None, key: Array | None = None
    ) -> tuple[list[Array], Any]:
        """The direction, and the tracked rows and weights after this step."""
        present = jnp.diagonal(gramian_of(rows)) != 0
        pace = jnp.sqrt(state.taken + 1.0)
        tracked = tuple(self._track(y, x, present, pace) for y, x in zip(state.rows, rows, strict=True))
        G = jnp.where(present[:, None] & present[None, :], gramian_of(tracked), 0.0)
        held = jnp.where(present, state.weights.astype(G.dtype), 0.0)
        mass = jnp.sum(held)
        weights = self._step(G, held / jnp.where(mass == 0, 1.0, mass), present, pace.astype(G.dtype))
        out = [weighted_sum(weights, y).astype(x.dtype) for y, x in zip(tracked, rows, strict=True)]
        return out, MoCoState(tracked, keep(present, weights * mass, state.weights), state.taken + 1)

    def _step(self, G: Array, weights: Array, present: Array, pace: Array) -> Array:
        """One projected step of weights of sum 1 on the tasks that are there."""
        top = jnp.max(jnp.abs(G))
        ridge, rate = jnp.asarray(self.ridge, G.dtype), jnp.asarray(self.rate, G.dtype)
        slope = matmul(G, weights) / jnp.where(top == 0, 1.0, top) + ridge * weights
        return _onto_simplex(weights - rate / pace * slope, present)

    def _track(self, y: Array, x: Array, present: Array, pace: Array) -> Array:
        there = jnp.broadcast_to(present.reshape(-1, *[1] * (x.ndim - 1)), x.shape)
        step = jnp.asarray(self.track, y.dtype) / pace.astype(y.dtype)
        return jnp.where(there, y + step * (widen(x).astype(y.dtype) - y), y)

    def check(self) -> None:
        """Raise ValueError unless 0 < track <= 1, rate > 0 and ridge >= 0."""
        within(self, "track", 0.0, 1.0 + 1e-6, strict=True)
        within(self, "rate", 0.0, strict=True)
        within(self, "ridge", 0.0)


def _onto_simplex(v: Array, present: Array) -> Array:
    """The projection of the entries that are there onto the simplex (Held, Wolfe and Crowder 1974), 0 elsewhere."""
    ordered = jnp.sort(jnp.where(present, v, -jnp.inf))[::-1]
    finite = jnp.where(ordered == -jnp.inf, 0.0, ordered)
    levels = (jnp.cumsum(finite) - 1) / jnp.arange(1, len(v) + 1)
    height = jnp.max(jnp.where(ordered > levels, levels, -jnp.inf), initial=-1e30)
    return jnp.where(present, jnp.maximum(v - height, 0.0), 0.0)
