"""Penalties that act coordinate by coordinate: L1, Ridge, NonNegative, Box."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxreg._pytree import pytree, show
from jaxreg._typing import Array, ArrayLike
from jaxreg.penalties._base import Leafwise


@pytree
class L1(Leafwise):
    """Absolute values, Σ|xⱼ|: the lasso (Tibshirani 1996).

    The prox is soft thresholding, sign(x) max(|x| - step, 0), exact also for an array of steps.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> (2.0 * jr.L1()).prox(jnp.array([3.0, -1.0]), 1.0).tolist()
    [1.0, 0.0]
    """

    homogeneous = gauge = elementwise = metric = dualisable = True

    def leaf_terms(self, x: Array) -> Array:
        """|x|, with derivative 0 at 0."""
        return x * jnp.sign(x)

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Soft thresholding; an infinite step gives 0."""
        return jnp.where(x * jnp.sign(x) <= step, jnp.zeros_like(x), x - jnp.sign(x) * step)

    def leaf_dual_terms(self, u: Array) -> Array:
        """|u|."""
        return jnp.abs(u)


@pytree
class Ridge(Leafwise):
    """Half the squared Euclidean norm, ½‖x‖² (Hoerl and Kennard 1970).

    The prox is x / (1 + step).

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> (3.0 * jr.Ridge()).prox(jnp.array([4.0]), 1.0).tolist()
    [1.0]
    """

    elementwise = quadratic = metric = dualisable = smooth = True

    def leaf_terms(self, x: Array) -> Array:
        """½x²."""
        return 0.5 * jnp.square(x)

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Shrinkage by 1 + step; an infinite step gives 0."""
        return x / (1.0 + step)

    def leaf_conjugate(self, u: Array) -> Array:
        """½‖u‖²."""
        return 0.5 * jnp.sum(jnp.square(u))

    def leaf_quadratic(self, x: Array) -> tuple[Array, Array]:
        """Curvature 1 about 0."""
        return jnp.ones((), x.dtype), jnp.zeros_like(x)


@pytree
class NonNegative(Leafwise):
    """The set x >= 0: value 0 inside, infinity outside; a strength does not change it.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> (0.5 * jr.L1() + jr.NonNegative()).prox(jnp.array([2.0, -2.0]), 1.0).tolist()
    [1.5, 0.0]
    """

    homogeneous = elementwise = indicator = metric = True

    def leaf_terms(self, x: Array) -> Array:
        """0 where x >= 0, else infinity."""
        return jnp.where(x >= 0, 0.0, jnp.where(jnp.isnan(x), jnp.nan, jnp.inf)).astype(x.dtype)

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Projection max(x, 0)."""
        return jnp.where(x > 0, x, jnp.zeros_like(x) * _nan_if_nan(x))


@pytree
class Box(Leafwise):
    """The set lower <= x <= upper, bounds being numbers or arrays that broadcast; value 0 inside, infinity outside.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.Box(-1.0, 1.0).prox(jnp.array([2.0, -0.5])).tolist()
    [1.0, -0.5]
    """

    lower: ArrayLike = 0.0
    upper: ArrayLike = 1.0
    elementwise = indicator = metric = dualisable = bounded = True

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


def _nan_if_nan(x: Array) -> Array:
    return jnp.where(jnp.isnan(x), jnp.nan, 1.0).astype(x.dtype)
