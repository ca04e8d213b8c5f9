"""Euclidean balls."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxreg._pytree import pytree, static
from jaxreg._typing import Array, ArrayLike
from jaxreg.penalties._base import Leafwise
from jaxreg.penalties._leaf import wide
from jaxreg.penalties._root import rise
from jaxreg.penalties.sets._groups import Axis, check_radius, length, per_group, ratios, size, total
from jaxreg.penalties.sets._rounding import judged, least, nothing, slack


@pytree
class L2Ball(Leafwise):
    """The set ‖x‖ <= radius of every group along an axis (`None`: the whole array); the radius broadcasts over groups.

    Outside, the projection is x radius/‖x‖; in a diagonal metric x/(1 + μ step), where μ solves one scalar equation by
    Newton's steps (Moré and Sorensen 1983). A norm may exceed the radius by (17 + √n) roundings.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.L2Ball(2.5).prox(jnp.array([3.0, -4.0])).tolist()
    [1.5, -2.0]
    """

    radius: ArrayLike = 1.0
    axis: Axis = static(default=None)
    indicator = radial = metric = dualisable = bounded = True

    def check(self) -> None:
        """Raise ValueError for a radius below 0."""
        check_radius("L2Ball", self.radius)

    def leaf_terms(self, x: Array) -> Array:
        """0 for groups in the ball, else infinity."""
        return judged(self._inside(x), x, self.axis)

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Projection of every group."""
        inside, norm = self._inside(x), length(x, self.axis)
        unit = x / jnp.where(norm == 0, 1.0, jnp.where(jnp.isinf(norm), jnp.nan, norm))
        radius = jnp.where(inside, 1.0, per_group(self.radius, norm))
        step = jnp.asarray(step, x.dtype)
        if step.ndim == 0 or step.shape == norm.shape:
            return jnp.where(inside, x, radius * unit)
        share = jnp.where(inside, 1.0, radius / jnp.where(norm == 0, 1.0, norm))
        moved = _shortened(unit, share, ratios(step, x, self.axis), self.axis)
        reach = jax.lax.stop_gradient(length(moved, self.axis))
        moved = moved * norm * jax.lax.stop_gradient(share / jnp.where(reach == 0, 1.0, reach))
        return jnp.where(inside, x, moved)

    def leaf_conjugate(self, u: Array) -> Array:
        """The support function Σ radius ‖u‖."""
        norm = length(u, self.axis)
        return jnp.sum(per_group(self.radius, norm) * norm)

    def _inside(self, x: Array) -> Array:
        norm, count = length(wide(x), self.axis), size(x, self.axis)
        return norm <= per_group(self.radius, norm) * (1 + slack(x, count)) + least(x, count)


def _shortened(unit: Array, share: Array, step: Array, axis: Axis) -> Array:
    """u/(1 + μ step) of length `share` <= 1 for u of length 1.

    1/‖u/(1 + μ step)‖ is increasing and concave in μ, so that Newton's steps from the left rise to the root.
    """
    gone = (share == 0) | (length(jax.lax.stop_gradient(unit), axis) == 0)

    def newton(mu: Array, unit: Array, share: Array, step: Array) -> Array:
        v = unit / (1 + mu * step)
        norm = length(v, axis)
        w = v / jnp.where(norm == 0, 1.0, norm)
        slope = total(jnp.square(w) * step / (1 + mu * step), axis)
        gain = norm / jnp.where(gone, 1.0, share) - 1
        return mu + jnp.where(gone, 0.0, gain) / jnp.where(slope == 0, 1.0, slope)

    fixed = jax.lax.stop_gradient((unit, share, step))
    start = jnp.zeros_like(share)
    mu = newton(rise(lambda mu: newton(mu, *fixed), start), unit, share, step)
    return jnp.where(gone, nothing(unit), unit / (1 + mu * step))
