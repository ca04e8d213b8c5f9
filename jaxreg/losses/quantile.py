"""The pinball loss: quantile regression."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike
from jaxreg.losses._base import Loss, pair, per_example, within
from jaxreg.losses._check import ranged


@pytree
class Quantile(Loss):
    """The pinball loss of one quantile (Koenker and Bassett 1978): level (y - z)₊ + (1 - level)(z - y)₊.

    It has no gradient at the targets and needs a splitting solver. A batch of levels is a vmap over the loss.

    >>> import jaxreg as jr
    >>> loss = jr.Quantile(level=0.75)
    >>> float(loss(0.0, 2.0)), float(loss(2.0, 0.0))
    (1.5, 0.5)
    """

    level: ArrayLike = 0.5
    smooth = False
    dual = proximable = True

    def __call__(self, prediction: ArrayLike, target: ArrayLike) -> Array:
        """The pinball loss, summed over outputs, with derivative 0 at the target."""
        z, y = pair(prediction, target)
        r, level = z - y, jnp.asarray(self.level, z.dtype)
        return per_example(jnp.where(r > 0, (1 - level) * r, -level * r) * jnp.abs(jnp.sign(r)))

    def conjugate(self, dual: Array, target: Array) -> Array:
        """d y for -level <= d <= 1 - level, else infinity."""
        level = jnp.asarray(self.level, dual.dtype)
        return per_example(within(-level, dual, 1 - level, dual * target))

    def prox(self, prediction: ArrayLike, target: ArrayLike, step: Any = 1.0) -> Array:
        """Toward y by step(1 - level) from above and step·level from below, y once it is reached."""
        z, y = pair(prediction, target)
        step, level = jnp.asarray(step, z.dtype), jnp.asarray(self.level, z.dtype)
        return z - jnp.clip(z - y, -step * level, step * (1 - level))

    def check(self) -> None:
        """Raise ValueError unless 0 < level < 1."""
        ranged(self, "level", 0.0, 1.0, closed=False)
