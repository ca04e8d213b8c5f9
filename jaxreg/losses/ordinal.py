"""Ordered classes: proportional odds."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike
from jaxreg.losses._base import Loss


@pytree
class Ordinal(Loss):
    """Cumulative logit loss for ordered classes (McCullagh 1980), with integer labels (n,) in 0..k-1.

    Scores (n, k-1) are log-odds that the label exceeds 0, 1, ..., k-2, falling along a row as `jaxreg.ordinal` makes
    them: -log(σ(z_(y-1)) - σ(z_y)), with z_(-1) = ∞ and z_(k-1) = -∞. It is convex, infinite where scores do not fall,
    and `Logistic` for two classes. A label outside 0..k-1 gives NaN.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> scores = jnp.log(jnp.array([[3.0, 1.0]]))
    >>> [round(float(jnp.exp(-jr.Ordinal()(scores, jnp.array([y]))[0])), 3) for y in range(3)]
    [0.25, 0.25, 0.5]
    """

    expects = "an integer label >= 0"
    mixable = False
    labels = True
    separable = False

    def __call__(self, prediction: ArrayLike, target: ArrayLike) -> Array:
        """Minus the log-probability of the label; stable for any finite scores."""
        z, label = jnp.asarray(prediction), jnp.asarray(target, int)
        last = z.shape[-1]
        over, under = label > 0, label < last
        above, below = _at(z, label - 1), _at(z, label)
        ends = jnp.where(over, jax.nn.softplus(-above), 0.0) + jnp.where(under, jax.nn.softplus(below), 0.0)
        value = ends - jnp.where(over & under, _log1mexp(above - below), 0.0)
        known = (label >= 0) & (label <= last) & ~jnp.any(jnp.isnan(z), axis=-1)
        return jnp.where(known, value, jnp.nan)

    def admits(self, target: np.ndarray) -> np.ndarray:
        return target >= 0


def _at(z: Array, column: Array) -> Array:
    inside = jnp.clip(column, 0, z.shape[-1] - 1)
    return jnp.take_along_axis(z, inside[..., None], axis=-1)[..., 0]


def _log1mexp(gap: Array) -> Array:
    """log(1 - e^(-gap)), minus infinity unless gap > 0; NaN stays."""
    known = gap > 0
    g = jnp.where(known, gap, 1.0)
    small = g < jnp.log(2.0).astype(g.dtype)
    near = jnp.log(-jnp.expm1(-jnp.where(small, g, 0.5)))
    far = jnp.log1p(-jnp.exp(-jnp.where(small, 1.0, g)))
    return jnp.where(known, jnp.where(small, near, far), jnp.where(jnp.isnan(gap), gap, -jnp.inf))
