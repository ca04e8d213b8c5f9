"""The hinge with a rounded corner."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike
from jaxreg.losses._base import Loss, per_example, within
from jaxreg.losses._check import positive
from jaxreg.losses.hinge import signed


@pytree
class SmoothHinge(Loss):
    """The hinge rounded over a margin of `width` below 1, for targets 0 and 1, as `Logistic`.

    With u = 1 - (2y - 1)z: 0 for u <= 0, u²/(2 width) up to width, u - width/2 beyond (Rennie and Srebro 2005 for
    width 1; Shalev-Shwartz and Zhang 2013).

    >>> import jaxreg as jr
    >>> float(jr.SmoothHinge()(0.5, 1)), float(jr.SmoothHinge()(0.5, 0))
    (0.125, 1.0)
    """

    width: ArrayLike = 1.0
    expects = "0 or 1"
    mixable = False
    dual = proximable = True

    @property
    def curvature(self) -> Any:
        """1/width."""
        return 1 / self.width

    def __call__(self, prediction: ArrayLike, target: ArrayLike) -> Array:
        """The rounded hinge, summed over outputs."""
        short = 1 - signed(prediction, target)[0]
        width = jnp.asarray(self.width, short.dtype)
        inner = jnp.clip(short, 0.0, width)
        return per_example(inner / width * (short - 0.5 * inner))

    def conjugate(self, dual: Array, target: Array) -> Array:
        """a + width a²/2 with a = (2y - 1)d for -1 <= a <= 0, else infinity."""
        a, _ = signed(dual, target)
        one = jnp.ones((), a.dtype)
        value = a + 0.5 * jnp.asarray(self.width, a.dtype) * jnp.square(a)
        return per_example(within(-one, a, 0 * one, value))

    def prox(self, prediction: ArrayLike, target: ArrayLike, step: Any = 1.0) -> Array:
        """A margin below 1 raised by step/(width + step) of what it lacks, by `step` at most."""
        m, sign = signed(prediction, target)
        step, width = jnp.asarray(step, m.dtype), jnp.asarray(self.width, m.dtype)
        return sign * (m + jnp.clip((1 - m) * (step / (width + step)), 0.0, step))

    def admits(self, target: np.ndarray) -> np.ndarray:
        return (target == 0) | (target == 1)

    def check(self) -> None:
        """Raise ValueError unless width > 0."""
        positive(self, "width", " Without rounding it is Hinge().")
