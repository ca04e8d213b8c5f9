"""Distances between tasks: clusters of tasks become one, by convex clustering."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxreg._pytree import pytree, static
from jaxreg._typing import Array
from jaxreg._validate import traced
from jaxreg.penalties._base import Leafwise
from jaxreg.penalties._scaled import weigh
from jaxreg.penalties.coupling._fuse import centred, flow_norm, fuse, lengths
from jaxreg.penalties.coupling._rows import array_of, rows_along


@pytree
class Clustered(Leafwise):
    """Weighted distances of all pairs of tasks along an axis, Σ_{s<t} wₛₜ ‖xₛ - xₜ‖ (Hocking et al. 2011).

    Tasks become equal in clusters as the strength grows. `weights` (tasks, tasks) is symmetric and not negative, None
    weighs all pairs 1. The prox has no closed form: its dual is solved to rounding by accelerated projected gradients
    (Chi and Lange 2015), up to 2000 steps of tasks² times entries of a task each, so that a hundred tasks is many.
    Raises ValueError where the weights do not fit the axis.

    >>> import jax.numpy as jnp, numpy as np, jaxreg as jr
    >>> np.asarray(jr.Clustered().prox(jnp.array([[0.0], [1.0], [9.0]]), 1.0)).round(3).tolist()
    [[1.5], [1.5], [7.0]]
    """

    weights: Any = None
    axis: int = static(default=0)
    homogeneous = iterative = estimable = True

    def check(self) -> None:
        """Raise ValueError unless the weights are finite, symmetric and not negative."""
        if self.weights is None or traced(self.weights):
            return
        w = np.asarray(self.weights, float)
        if w.ndim < 2 or w.shape[-1] != w.shape[-2] or not np.array_equal(w, np.swapaxes(w, -1, -2)):
            raise ValueError(f"Clustered: weights of shape {w.shape} must be a symmetric matrix (tasks, tasks).")
        if not (np.all(np.isfinite(w)) and np.all(w >= 0)):
            raise ValueError(f"Clustered: weights must be finite and >= 0, got a minimum of {np.min(w)}.")

    def leaf_value(self, x: Array) -> Array:
        """The sum over pairs."""
        rows = rows_along(x, self.axis)
        pairs = self._spread(rows) * lengths(rows[:, None, :] - rows[None, :, :])
        return (0.5 * jnp.sum(pairs)).astype(x.dtype)

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Pairs pulled together; tasks that meet are one."""
        rows = rows_along(x, self.axis)
        if not rows.size:
            return x
        w = self._spread(rows)
        return array_of(fuse(rows, weigh(jnp.asarray(step, rows.dtype), w, w.shape)), x, self.axis)

    def leaf_span(self, u: Array) -> Array:
        """u less its mean over tasks that pairs connect."""
        rows = rows_along(u, self.axis)
        return array_of(centred(rows, self._spread(rows)), u, self.axis) if rows.size else u

    def leaf_dual_near(self, u: Array, x: Array) -> Array:
        """The dual norm from above, tight where u is in ∂g(x): the most that a pair must carry."""
        rows = rows_along(u, self.axis)
        return flow_norm(rows, rows_along(x, self.axis), self._spread(rows)) if rows.size else jnp.zeros((), u.dtype)

    def _spread(self, rows: Array) -> Array:
        size = rows.shape[0]
        w = jnp.ones((size, size), rows.dtype) if self.weights is None else jnp.asarray(self.weights, rows.dtype)
        if w.shape != (size, size):
            raise ValueError(f"Clustered has weights of shape {w.shape}, but its axis has {size} tasks.")
        return w
