"""Squares of sums of absolute values: entries of a group compete with each other."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxreg._pytree import pytree, static
from jaxreg._typing import Array
from jaxreg.penalties._base import Leafwise
from jaxreg.penalties._root import rise
from jaxreg.penalties.sets._groups import Axis, total
from jaxreg.penalties.sets._rounding import nothing


@pytree
class Exclusive(Leafwise):
    """Half the squared sum of absolute values along an axis, ½ Σ_g ‖x_g‖₁² (Zhou, Jin and Hoi 2010).

    The exclusive lasso: sparse within groups, while no group is empty for long; `axis=None` takes the whole array. With
    parameters (tasks, features), `Exclusive(axis=0)` lets tasks compete for features. The prox is soft thresholding by
    step ‖z_g‖₁, z being the result: its sum solves a piecewise linear equation, in a diagonal metric too.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.Exclusive().prox(jnp.array([4.0, -3.0, 0.5]), 0.5).tolist()
    [2.25, -1.25, 0.0]
    """

    axis: Axis = static(default=None)
    even = metric = dualisable = polar = True

    def leaf_terms(self, x: Array) -> Array:
        """½‖x‖₁² of each group."""
        return 0.5 * jnp.square(total(x * jnp.sign(x), self.axis))

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Soft thresholding by the step times the sum of what is left; an infinite step gives 0, an infinite x NaN."""
        step = jnp.broadcast_to(jnp.asarray(step, x.dtype), x.shape)
        ends = jnp.isinf(step)
        size, step = jnp.where(ends, nothing(x), x * jnp.sign(x)), jnp.where(ends, 0.0, step)

        def newton(sums: Array, size: Array, step: Array) -> Array:
            held, mass = _kept(sums, size, step, self.axis)
            return held / (1.0 + mass)

        fixed = jax.lax.stop_gradient((size, step))
        start = jnp.zeros_like(total(fixed[0], self.axis))
        sums = rise(lambda sums: newton(sums, *fixed), start)
        held, mass = _kept(sums, size, step, self.axis)
        left = (size + (mass * size - step * held)) / (1.0 + mass)  # size - step held/(1 + mass) loses digits
        left = left + 0.0 * jnp.max(size, axis=self.axis, keepdims=True, initial=0)
        return jnp.where(left > 0, jnp.sign(x) * left, nothing(left))

    def leaf_dual_terms(self, u: Array) -> Array:
        """The largest |u| of each group."""
        return jnp.max(jnp.abs(u), axis=self.axis, keepdims=True, initial=0)

    def leaf_conjugate_terms(self, u: Array) -> Array:
        """½ max u² of each group."""
        return 0.5 * jnp.square(self.leaf_dual_terms(u))


def _kept(sums: Array, size: Array, step: Array, axis: Axis) -> tuple[Array, Array]:
    """Sums of size and of step over the entries above their threshold."""
    on = size > step * sums
    return total(jnp.where(on, size, 0.0), axis), total(jnp.where(on, step, 0.0), axis)
