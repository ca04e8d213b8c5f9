"""Half the squared error: least squares."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike
from jaxreg.losses._base import Loss, pair, per_example


@pytree
class Squared(Loss):
    """Half the squared error, ½(z - y)²: least squares (Legendre 1805).

    >>> import jaxreg as jr
    >>> float(jr.Squared()(3.0, 1.0))
    2.0
    """

    curvature = 1.0
    dual = proximable = quadratic = True

    def __call__(self, prediction: ArrayLike, target: ArrayLike) -> Array:
        """½(z - y)², summed over outputs."""
        return per_example(0.5 * jnp.square(jnp.asarray(prediction) - target))

    def conjugate(self, dual: Array, target: Array) -> Array:
        """½d² + d y."""
        return per_example(0.5 * jnp.square(dual) + dual * target)

    def prox(self, prediction: ArrayLike, target: ArrayLike, step: Any = 1.0) -> Array:
        """(z + step y)/(1 + step)."""
        z, y = pair(prediction, target)
        step = jnp.asarray(step, z.dtype)
        return z - (z - y) * (step / (1 + step))
