"""Positive targets with a log link."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike
from jaxreg.losses._base import Loss, pair, per_example, xlogx
from jaxreg.losses._roots import exp_root


@pytree
class Gamma(Loss):
    """Gamma loss for positive targets with log link, z + y e⁻ᶻ: half the deviance without its constants.

    McCullagh and Nelder 1989, section 8.3.

    >>> import jaxreg as jr
    >>> float(jr.Gamma()(0.0, 3.0))
    3.0
    """

    expects = "a number > 0"
    dual = proximable = True

    def __call__(self, prediction: ArrayLike, target: ArrayLike) -> Array:
        """z + y e⁻ᶻ, summed over outputs."""
        z, y = pair(prediction, target)
        return per_example(z + y * jnp.exp(-z))

    def conjugate(self, dual: Array, target: Array) -> Array:
        """q log q - q - q log y for q = 1 - d >= 0, else infinity."""
        q = 1 - dual
        known = target > 0
        return per_example(jnp.where(known, xlogx(q) - q - q * jnp.log(jnp.where(known, target, 1.0)), jnp.inf))

    def prox(self, prediction: ArrayLike, target: ArrayLike, step: Any = 1.0) -> Array:
        """The root u of u - step y e⁻ᵘ = z - step, by Wright's omega function."""
        z, y = pair(prediction, target)
        step = jnp.broadcast_to(jnp.asarray(step, z.dtype), z.shape)
        return -exp_root(step - z, step * y)

    def admits(self, target: np.ndarray) -> np.ndarray:
        return target > 0
