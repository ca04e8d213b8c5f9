"""The absolute error beyond a margin: support vector regression."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike
from jaxreg.losses._base import Loss, pair, per_example, within
from jaxreg.losses._check import ranged


@pytree
class EpsilonInsensitive(Loss):
    """The absolute error beyond a margin (Vapnik 1995): (|z - y| - epsilon)₊.

    It has no gradient at the margins and needs a splitting solver.

    >>> import jaxreg as jr
    >>> float(jr.EpsilonInsensitive(0.5)(3.0, 1.0))
    1.5
    """

    epsilon: ArrayLike = 0.1
    smooth = False
    dual = proximable = True

    def __call__(self, prediction: ArrayLike, target: ArrayLike) -> Array:
        """(|z - y| - epsilon)₊, summed over outputs, with derivative 0 at the margins."""
        excess = self._excess(*pair(prediction, target))
        return per_example(excess * jnp.sign(excess))

    def conjugate(self, dual: Array, target: Array) -> Array:
        """d y + epsilon |d| for |d| <= 1, else infinity."""
        one = jnp.ones((), dual.dtype)
        value = dual * target + jnp.asarray(self.epsilon, dual.dtype) * jnp.abs(dual)
        return per_example(within(-one, dual, one, value))

    def prox(self, prediction: ArrayLike, target: ArrayLike, step: Any = 1.0) -> Array:
        """Toward the nearer margin by `step`, there once it is reached."""
        z, y = pair(prediction, target)
        step = jnp.asarray(step, z.dtype)
        return z - jnp.clip(self._excess(z, y), -step, step)

    def check(self) -> None:
        """Raise ValueError unless epsilon is finite and >= 0."""
        ranged(self, "epsilon", 0.0, float(np.finfo(np.float64).max), closed=True)

    def _excess(self, z: Array, y: Array) -> Array:
        epsilon = jnp.asarray(self.epsilon, z.dtype)
        return (z - y) - jnp.clip(z - y, -epsilon, epsilon)
