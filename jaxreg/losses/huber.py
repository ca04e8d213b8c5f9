"""Huber's loss: quadratic near the target, linear beyond."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike
from jaxreg.losses._base import Loss, pair, per_example, within
from jaxreg.losses._check import positive


@pytree
class Huber(Loss):
    """Quadratic near the target, linear beyond `delta` (Huber 1964): ½r² if |r| <= delta, else delta(|r| - delta/2).

    >>> import jaxreg as jr
    >>> float(jr.Huber(delta=1.0)(3.0, 0.0))
    2.5
    """

    delta: ArrayLike = 1.0
    curvature = 1.0
    dual = proximable = True

    def __call__(self, prediction: ArrayLike, target: ArrayLike) -> Array:
        """The Huber function of z - y, summed over outputs."""
        z, y = pair(prediction, target)
        delta = jnp.asarray(self.delta, z.dtype)
        r = z - y
        inner = jnp.clip(r, -delta, delta)
        return per_example(inner * (r - 0.5 * inner))

    def conjugate(self, dual: Array, target: Array) -> Array:
        """½d² + d y for |d| <= delta, else infinity."""
        delta = jnp.asarray(self.delta, dual.dtype)
        return per_example(within(-delta, dual, delta, 0.5 * jnp.square(dual) + dual * target))

    def prox(self, prediction: ArrayLike, target: ArrayLike, step: Any = 1.0) -> Array:
        """Toward y by step/(1 + step) of the distance, by step·delta at most."""
        z, y = pair(prediction, target)
        step, delta = jnp.asarray(step, z.dtype), jnp.asarray(self.delta, z.dtype)
        return z - jnp.clip((z - y) * (step / (1 + step)), -step * delta, step * delta)

    def check(self) -> None:
        """Raise ValueError unless delta > 0."""
        positive(self, "delta")
