"""Counts with a log link."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike
from jaxreg.losses._base import Loss, pair, per_example, xlogx
from jaxreg.losses._roots import exp_root


@pytree
class Poisson(Loss):
    """Poisson loss for counts with log link, eᶻ - y z (Nelder and Wedderburn 1972; the constant log y! is left out).

    >>> import jaxreg as jr
    >>> float(jr.Poisson()(0.0, 3.0))
    1.0
    """

    expects = "a number >= 0"
    dual = proximable = True

    def __call__(self, prediction: ArrayLike, target: ArrayLike) -> Array:
        """eᶻ - y z, summed over outputs."""
        z = jnp.asarray(prediction)
        return per_example(jnp.exp(z) - z * target)

    def conjugate(self, dual: Array, target: Array) -> Array:
        """q log q - q for q = d + y >= 0, else infinity."""
        q = dual + target
        return per_example(xlogx(q) - q)

    def prox(self, prediction: ArrayLike, target: ArrayLike, step: Any = 1.0) -> Array:
        """The root u of u + step eᵘ = z + step y, by Wright's omega function."""
        z, y = pair(prediction, target)
        step = jnp.broadcast_to(jnp.asarray(step, z.dtype), z.shape)
        return exp_root(z + step * y, step)

    def admits(self, target: np.ndarray) -> np.ndarray:
        return target >= 0
