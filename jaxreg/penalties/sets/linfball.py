"""Balls of the largest absolute value."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike
from jaxreg.penalties._base import Leafwise
from jaxreg.penalties.sets._groups import check_radius


@pytree
class LInfBall(Leafwise):
    """The set |x| <= radius, entry by entry: the radius broadcasts to the array, so that no axis is needed.

    The projection clips (Beck 2017, Lemma 6.26).

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.LInfBall(1.0).prox(jnp.array([2.0, -0.5])).tolist()
    [1.0, -0.5]
    """

    radius: ArrayLike = 1.0
    elementwise = indicator = metric = dualisable = bounded = even = True
    uniform = property(lambda self: np.ndim(self.radius) == 0)

    def check(self) -> None:
        """Raise ValueError for a radius below 0."""
        check_radius("LInfBall", self.radius)

    def leaf_terms(self, x: Array) -> Array:
        """0 where |x| <= radius, else infinity."""
        outside = jnp.where(jnp.isnan(x), jnp.nan, jnp.inf)
        return jnp.where(jnp.abs(x) <= self._radius(x), 0.0, outside).astype(x.dtype)

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Clipping."""
        return jnp.clip(x, -self._radius(x), self._radius(x))

    def leaf_conjugate(self, u: Array) -> Array:
        """The support function Σ radius |u|."""
        return jnp.sum(self._radius(u) * u * jnp.sign(u))

    def _radius(self, x: Array) -> Array:
        return jnp.broadcast_to(jnp.asarray(self.radius, x.dtype), x.shape)
