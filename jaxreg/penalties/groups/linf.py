"""Largest entries of groups: the multi-task lasso in the norm L1,∞."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxreg._pytree import pytree, static
from jaxreg._typing import Array
from jaxreg.penalties._base import Leafwise
from jaxreg.penalties._root import rise
from jaxreg.penalties.sets._groups import Axis, per_group, total
from jaxreg.penalties.sets._rounding import nothing


@pytree
class LInf(Leafwise):
    """Sum of largest absolute values along an axis, Σ_g max|x_g| (Quattoni et al. 2009); `axis=None`: the whole array.

    With parameters (tasks, features), `LInf(axis=0)` selects features for all tasks together, and tasks share the size
    of a coefficient at no cost. The prox lowers the largest entries of a group to one level, by `step` in all, and is
    zero where Σ|x_g| <= step: x less its projection on the ball of the dual norm, Σ|u_g| <= step (Moreau 1965).

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.LInf(axis=0).prox(jnp.array([[3.0, 0.1], [-4.0, 0.2]]), 2.0).tolist()
    [[2.5, 0.0], [-2.5, 0.0]]
    """

    axis: Axis = static(default=None)
    homogeneous = gauge = even = dualisable = True

    def leaf_terms(self, x: Array) -> Array:
        """The largest |x| of each group."""
        return jnp.max(x * jnp.sign(x), axis=self.axis, keepdims=True, initial=0)

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Groups cut off at their level; an infinite step gives 0."""
        if not x.size:
            return x
        size, sign = x * jnp.sign(x), jnp.sign(x)
        sums = total(size, self.axis)
        step = per_group(step, sums)
        gone = (sums <= step) & (step > 0)
        step = jnp.where(jnp.isinf(step), 0.0, step)
        level = _level(size, step, self.axis)
        cut = jnp.where(size <= level, x, sign * level)
        return jnp.where(gone, nothing(x), jnp.where(step == 0, x - sign * step * _share(size, self.axis), cut))

    def leaf_dual_terms(self, u: Array) -> Array:
        """Σ|u| of each group."""
        return total(jnp.abs(u), self.axis)


def _share(size: Array, axis: Axis) -> Array:
    """The part of a small step that each of the largest entries bears."""
    top = jnp.where(size >= jnp.max(size, axis=axis, keepdims=True), 1.0, 0.0)
    return top / jnp.maximum(total(top, axis), 1.0)


def _level(size: Array, step: Array, axis: Axis) -> Array:
    """The root l of Σ max(size - l, 0) = step for every group, taken relative to the largest entry."""
    top = jax.lax.stop_gradient(jnp.max(size, axis=axis, keepdims=True))

    def newton(level: Array, below: Array, step: Array) -> Array:
        on = below >= level
        return (total(jnp.where(on, below, 0.0), axis) - step) / total(jnp.where(on, 1.0, 0.0), axis)

    below = size - top
    fixed = jax.lax.stop_gradient((below, step))
    start = newton(jnp.full_like(top, -jnp.inf), *fixed)
    return jnp.maximum(top + newton(rise(lambda level: newton(level, *fixed), start), below, step), 0.0)
