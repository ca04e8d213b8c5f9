"""Simplices: nonnegative entries of a given sum."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxreg._pytree import pytree, static
from jaxreg._typing import Array, ArrayLike
from jaxreg.penalties._base import Leafwise
from jaxreg.penalties._leaf import wide
from jaxreg.penalties._root import rise
from jaxreg.penalties.sets._groups import Axis, check_radius, per_group, ratios, size, total
from jaxreg.penalties.sets._rounding import judged, least, nothing, settle, slack


@pytree
class Simplex(Leafwise):
    """The set x >= 0, Σx = radius along an axis (`None`: the whole array); the radius broadcasts over the groups.

    The projection is max(x - step θ, 0) with θ the root of a piecewise linear equation, found by Newton's steps, which
    end exactly (Held, Wolfe and Crowder 1974; Michelot 1986); in a diagonal metric too (Cominetti, Mascarenhas and
    Silva 2014). A sum is a member's up to (17 + √n) roundings of it, n being the number of entries.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.Simplex().prox(jnp.array([1.0, 0.5, -3.0])).tolist()
    [0.75, 0.25, 0.0]
    """

    radius: ArrayLike = 1.0
    axis: Axis = static(default=-1)
    indicator = metric = dualisable = bounded = True
    centred = False

    def check(self) -> None:
        """Raise ValueError for a radius below 0."""
        check_radius("Simplex", self.radius)

    def leaf_terms(self, x: Array) -> Array:
        """0 for groups in the simplex, else infinity."""
        return judged(self._inside(x), x, self.axis)

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Projection of every group."""
        if not x.size:
            return x
        inside = self._inside(x)
        moved = onto_simplex(x, per_group(self.radius, total(x, self.axis)), ratios(step, x, self.axis), self.axis)
        return settle(x, moved, inside)

    def leaf_conjugate(self, u: Array) -> Array:
        """The support function Σ radius · max u."""
        if not u.size:
            return jnp.zeros((), u.dtype)
        top = jnp.max(u, axis=self.axis, keepdims=True)
        return jnp.sum(per_group(self.radius, top) * top)

    def _inside(self, x: Array) -> Array:
        sums, count = total(wide(x), self.axis), size(x, self.axis)
        radius = per_group(self.radius, sums)
        exact = jnp.abs(sums - radius) <= slack(x, count) * radius + least(x, count)
        return exact & jnp.all(x >= 0, axis=self.axis, keepdims=True)


def onto_simplex(x: Array, radius: Array, step: Array, axis: Axis) -> Array:
    """argmin Σ (z - x)²/(2 step) over z >= 0 with Σz = radius, for every group: z = max(x - step θ, 0).

    The root is found twice, the second time for what the first leaves of x, so that a radius far below x loses no
    digits; a last factor makes the sum right to rounding.
    """

    def newton(theta: Array, y: Array, step: Array, radius: Array) -> Array:
        on = y > step * theta
        mass = total(jnp.where(on, step, 0.0), axis)
        excess = total(jnp.where(on, y, 0.0), axis) - radius
        return jnp.where(mass > 0, excess / jnp.where(mass > 0, mass, 1.0), theta)

    def root(y: Array, step: Array, radius: Array) -> Array:
        start = (total(y, axis) - radius) / total(step, axis)
        return rise(lambda theta: newton(theta, y, step, radius), start)

    fixed = jax.lax.stop_gradient((x, step, radius))
    y = x - step * root(*fixed)
    theta = newton(root(jax.lax.stop_gradient(y), *fixed[1:]), y, step, radius)
    above = y - step * theta
    z = jnp.where(above > 0, above, nothing(above))
    sums = jax.lax.stop_gradient(total(z, axis))
    return z * jnp.where(sums > 0, fixed[2] / jnp.where(sums > 0, sums, 1.0), 1.0)
