"""Balls of the sum of absolute values."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from jaxreg._pytree import pytree, static
from jaxreg._typing import Array, ArrayLike
from jaxreg.penalties._base import Leafwise
from jaxreg.penalties._leaf import wide
from jaxreg.penalties.sets._groups import Axis, check_radius, per_group, ratios, size, total
from jaxreg.penalties.sets._rounding import judged, least, slack
from jaxreg.penalties.sets.simplex import onto_simplex


@pytree
class L1Ball(Leafwise):
    """The set Σ|x| <= radius of every group along an axis (`None`: the whole array); the radius broadcasts over groups.

    The lasso in its first form (Tibshirani 1996). Outside, the projection is that of |x| on the simplex with the signs
    of x (Duchi et al. 2008, Theorem 2), in a diagonal metric too. A sum may exceed the radius by (17 + √n) roundings.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.L1Ball(2.0).prox(jnp.array([3.0, -2.0, 0.5])).tolist()
    [1.5, -0.5, 0.0]
    """

    radius: ArrayLike = 1.0
    axis: Axis = static(default=None)
    indicator = metric = dualisable = bounded = even = True

    def check(self) -> None:
        """Raise ValueError for a radius below 0."""
        check_radius("L1Ball", self.radius)

    def leaf_terms(self, x: Array) -> Array:
        """0 for groups in the ball, else infinity."""
        return judged(self._inside(x), x, self.axis)

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Projection of every group."""
        if not x.size:
            return x
        inside, sign = self._inside(x), jnp.sign(x)
        radius = jnp.where(inside, 0.0, per_group(self.radius, total(x, self.axis)))
        return jnp.where(inside, x, sign * onto_simplex(x * sign, radius, ratios(step, x, self.axis), self.axis))

    def leaf_conjugate(self, u: Array) -> Array:
        """The support function Σ radius · max|u|."""
        top = jnp.max(u * jnp.sign(u), axis=self.axis, keepdims=True, initial=0)
        return jnp.sum(per_group(self.radius, top) * top)

    def _inside(self, x: Array) -> Array:
        sums, count = total(jnp.abs(wide(x)), self.axis), size(x, self.axis)
        return sums <= per_group(self.radius, sums) * (1 + slack(x, count)) + least(x, count)
