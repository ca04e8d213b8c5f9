"""Boxes: bounds on every entry."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxreg._pytree import pytree, show
from jaxreg._typing import Array, ArrayLike
from jaxreg.penalties._base import Leafwise


@pytree
class Box(Leafwise):
    """The set lower <= x <= upper, bounds being numbers or arrays that broadcast; value 0 inside, infinity outside.

    The projection clips (Beck 2017, Lemma 6.26).

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.Box(-1.0, 1.0).prox(jnp.array([2.0, -0.5])).tolist()
    [1.0, -0.5]
    """

    lower: ArrayLike = 0.0
    upper: ArrayLike = 1.0
    elementwise = indicator = metric = dualisable = bounded = True
    uniform = property(lambda self: np.ndim(self.lower) == np.ndim(self.upper) == 0)
    centred = False

    def check(self) -> None:
        """Raise ValueError unless lower <= upper."""
        try:
            ordered = bool(np.all(np.asarray(self.lower) <= np.asarray(self.upper)))
        except TypeError:
            return
        if not ordered:
            raise ValueError(f"Box(lower={show(self.lower)}, upper={show(self.upper)}) is empty: lower > upper.")

    def leaf_terms(self, x: Array) -> Array:
        """0 inside the box, else infinity."""
        lower, upper = self._bounds(x)
        outside = jnp.where(jnp.isnan(x), jnp.nan, jnp.inf)
        return jnp.where((x >= lower) & (x <= upper), 0.0, outside).astype(x.dtype)

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Projection onto the box."""
        return jnp.clip(x, *self._bounds(x))

    def leaf_conjugate(self, u: Array) -> Array:
        """The support function Σ max(lower u, upper u)."""
        lower, upper = self._bounds(u)
        return jnp.sum(jnp.where(u > 0, upper, jnp.where(u < 0, lower, 0.0)) * jnp.where(u == 0, 1.0, u))

    def _bounds(self, x: Array) -> tuple[Array, Array]:
        lower, upper = (jnp.broadcast_to(jnp.asarray(b, x.dtype), x.shape) for b in (self.lower, self.upper))
        return lower, upper
