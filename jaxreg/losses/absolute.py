"""The absolute error: median regression."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike
from jaxreg.losses._base import Loss, pair, per_example, within


@pytree
class Absolute(Loss):
    """The absolute error, |z - y|: least absolute deviations, which fit the median (Boscovich 1757).

    It has no gradient at the targets and needs a splitting solver.

    >>> import jaxreg as jr
    >>> float(jr.Absolute()(3.0, 1.0)), float(jr.Absolute().prox(3.0, 1.0, 0.5))
    (2.0, 2.5)
    """

    smooth = False
    dual = proximable = True

    def __call__(self, prediction: ArrayLike, target: ArrayLike) -> Array:
        """|z - y|, summed over outputs, with derivative 0 at the target."""
        z, y = pair(prediction, target)
        return per_example((z - y) * jnp.sign(z - y))

    def conjugate(self, dual: Array, target: Array) -> Array:
        """d y for |d| <= 1, else infinity."""
        one = jnp.ones((), dual.dtype)
        return per_example(within(-one, dual, one, dual * target))

    def prox(self, prediction: ArrayLike, target: ArrayLike, step: Any = 1.0) -> Array:
        """Toward y by `step`, y once it is reached."""
        z, y = pair(prediction, target)
        step = jnp.asarray(step, z.dtype)
        return z - jnp.clip(z - y, -step, step)
