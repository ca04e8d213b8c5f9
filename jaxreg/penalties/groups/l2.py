"""Euclidean norms of groups of entries along an axis: group lasso, multi-task lasso."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxreg._pytree import pytree, static
from jaxreg._typing import Array
from jaxreg.penalties._base import Leafwise
from jaxreg.penalties.groups._grouping import Along
from jaxreg.penalties.groups._norms import block_prox, metric_prox, norm


@pytree
class L2(Leafwise):
    """Sum of Euclidean norms along an axis, Σ_g ‖x_g‖ (Yuan and Lin 2006); `axis=None` takes the whole array.

    With parameters (tasks, features), `L2(axis=0)` selects features for all tasks together (the multi-task lasso).
    The prox is x max(1 - step/‖x‖, 0) per group; for steps that differ within a group (a diagonal metric) the
    norm of the result solves one monotone scalar equation, by safeguarded Newton steps.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.L2(axis=0).prox(jnp.array([[3.0, 0.1], [4.0, 0.1]]), 2.5).tolist()
    [[1.5, 0.0], [2.0, 0.0]]
    """

    axis: int | tuple[int, ...] | None = static(default=None)
    homogeneous = gauge = radial = metric = dualisable = True

    def leaf_terms(self, x: Array) -> Array:
        """Norms, with derivative 0 at 0."""
        return norm(x, Along(self.axis))

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Block soft thresholding, in a diagonal metric where `step` varies within groups."""
        step = jnp.asarray(step, x.dtype)
        groups = jax.eval_shape(self.leaf_terms, x).shape
        if step.ndim == 0 or step.shape == groups:
            return block_prox(x, step, Along(self.axis))
        return metric_prox(x, jnp.broadcast_to(step, x.shape), Along(self.axis))

    def leaf_dual_terms(self, u: Array) -> Array:
        """Norms of the groups of u."""
        return norm(u, Along(self.axis))
