"""Counts that vary more than Poisson's."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike
from jaxreg.losses._base import Loss, pair, per_example, xlogx
from jaxreg.losses._check import positive
from jaxreg.losses._roots import shrunk


@pytree
class NegativeBinomial(Loss):
    """Negative binomial loss for counts with log link and variance μ + dispersion μ² (Cameron and Trivedi 1986, NB2).

    (y + 1/a) log(1 + a eᶻ) - y z with a = `dispersion`, constants left out; a -> 0 is `Poisson`.

    >>> import jaxreg as jr
    >>> round(float(jr.NegativeBinomial(1.0)(0.0, 1.0)), 4)
    1.3863
    """

    dispersion: ArrayLike = 1.0
    expects = "a number >= 0"
    dual = proximable = True

    def __call__(self, prediction: ArrayLike, target: ArrayLike) -> Array:
        """(y + 1/a) log(1 + a eᶻ) - y z, summed over outputs; stable for any finite score."""
        z, y = pair(prediction, target)
        a = jnp.asarray(self.dispersion, z.dtype)
        return per_example((y + 1 / a) * jnp.logaddexp(z + jnp.log(a), 0.0) - y * z)

    def conjugate(self, dual: Array, target: Array) -> Array:
        """q log q + (N - q) log(N - q) - N log N - q log a with q = d + y and N = y + 1/a, for 0 <= q <= N."""
        a = jnp.asarray(self.dispersion, dual.dtype)
        q, top = dual + target, target + 1 / a
        share = q / top
        return per_example(top * (xlogx(share) + xlogx(1 - share)) - q * jnp.log(a))

    def prox(self, prediction: ArrayLike, target: ArrayLike, step: Any = 1.0) -> Array:
        """The root u of u - z + step((y + 1/a)σ(u + log a) - y), by a safeguarded Newton method."""
        z, y = pair(prediction, target)
        step, y = jnp.broadcast_to(jnp.asarray(step, z.dtype), z.shape), jnp.broadcast_to(y, z.shape)
        a = jnp.asarray(self.dispersion, z.dtype)
        return shrunk(z, lambda u: step * ((y + 1 / a) * jax.nn.sigmoid(u + jnp.log(a)) - y))

    def admits(self, target: np.ndarray) -> np.ndarray:
        return target >= 0

    def check(self) -> None:
        """Raise ValueError unless dispersion > 0."""
        positive(self, "dispersion", " Without dispersion it is Poisson().")
