"""The logistic loss: two classes."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike
from jaxreg.losses._base import Loss, pair, per_example, xlogx
from jaxreg.losses._roots import shrunk


@pytree
class Logistic(Loss):
    """Logistic loss for targets 0 and 1, or probabilities between, log(1 + eᶻ) - y z, on scores z (Cox 1958).

    >>> import jaxreg as jr
    >>> round(float(jr.Logistic()(0.0, 1.0)), 4)
    0.6931
    """

    expects = "a number between 0 and 1"
    curvature = 0.25
    dual = proximable = soft = True

    def __call__(self, prediction: ArrayLike, target: ArrayLike) -> Array:
        """log(1 + eᶻ) - y z, summed over outputs; stable for any finite score."""
        z = jnp.asarray(prediction)
        return per_example(jnp.logaddexp(z, 0.0) - z * target)

    def conjugate(self, dual: Array, target: Array) -> Array:
        """Negative entropy of q = d + y for 0 <= q <= 1, else infinity."""
        q = dual + target
        return per_example(xlogx(q) + xlogx(1.0 - q))

    def prox(self, prediction: ArrayLike, target: ArrayLike, step: Any = 1.0) -> Array:
        """The root u of u - z + step(σ(u) - y), by a safeguarded Newton method."""
        z, y = pair(prediction, target)
        step, y = jnp.broadcast_to(jnp.asarray(step, z.dtype), z.shape), jnp.broadcast_to(y, z.shape)
        return shrunk(z, lambda u: step * (jax.nn.sigmoid(u) - y))

    def probabilities(self, scores: Array, target: ArrayLike) -> Array:
        """The probability of class 1, the target itself."""
        return jnp.asarray(target, scores.dtype)

    def admits(self, target: np.ndarray) -> np.ndarray:
        return (target >= 0) & (target <= 1)
