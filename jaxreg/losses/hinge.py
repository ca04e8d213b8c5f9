"""The hinge: support vector machines."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike
from jaxreg.losses._base import Loss, pair, per_example, within


@pytree
class Hinge(Loss):
    """The hinge of the margin (Cortes and Vapnik 1995): (1 - m)₊ with m = (2y - 1)z for targets 0 and 1, as `Logistic`.

    It has no gradient at m = 1 and needs a splitting solver; `SmoothHinge` and `SquaredHinge` have one.

    >>> import jaxreg as jr
    >>> float(jr.Hinge()(0.5, 1)), float(jr.Hinge()(0.5, 0))
    (0.5, 1.5)
    """

    expects = "0 or 1"
    smooth = mixable = False
    dual = proximable = True

    def __call__(self, prediction: ArrayLike, target: ArrayLike) -> Array:
        """(1 - m)₊, summed over outputs."""
        return per_example(jnp.maximum(1 - signed(prediction, target)[0], 0.0))

    def conjugate(self, dual: Array, target: Array) -> Array:
        """a for a = (2y - 1)d between -1 and 0, else infinity."""
        a, _ = signed(dual, target)
        one = jnp.ones((), a.dtype)
        return per_example(within(-one, a, 0 * one, a))

    def prox(self, prediction: ArrayLike, target: ArrayLike, step: Any = 1.0) -> Array:
        """The margin raised by `step`, to 1 at most."""
        m, sign = signed(prediction, target)
        return sign * (m + jnp.clip(1 - m, 0.0, jnp.asarray(step, m.dtype)))

    def admits(self, target: np.ndarray) -> np.ndarray:
        return (target == 0) | (target == 1)


def signed(prediction: ArrayLike, target: ArrayLike) -> tuple[Array, Array]:
    """The margin (2y - 1)z and the sign 2y - 1 of targets 0 and 1."""
    z, y = pair(prediction, target)
    sign = 2 * y - 1
    return sign * z, sign
