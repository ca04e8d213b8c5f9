"""The squared hinge: support vector machines with a gradient."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike
from jaxreg.losses._base import Loss, per_example
from jaxreg.losses.hinge import signed


@pytree
class SquaredHinge(Loss):
    """The squared hinge of the margin, (1 - m)₊² with m = (2y - 1)z for targets 0 and 1, as `Logistic`; no factor ½.

    The default of linear support vector machines (Fan et al. 2008, LIBLINEAR).

    >>> import jaxreg as jr
    >>> float(jr.SquaredHinge()(0.5, 1)), float(jr.SquaredHinge()(0.5, 0))
    (0.25, 2.25)
    """

    expects = "0 or 1"
    mixable = False
    curvature = 2.0
    dual = proximable = True

    def __call__(self, prediction: ArrayLike, target: ArrayLike) -> Array:
        """(1 - m)₊², summed over outputs."""
        return per_example(jnp.square(jnp.maximum(1 - signed(prediction, target)[0], 0.0)))

    def conjugate(self, dual: Array, target: Array) -> Array:
        """a + a²/4 with a = (2y - 1)d <= 0, else infinity."""
        a, _ = signed(dual, target)
        slack = 8 * jnp.finfo(a.dtype).eps
        return per_example(jnp.where(a > slack, jnp.inf, a + 0.25 * jnp.square(a)))

    def prox(self, prediction: ArrayLike, target: ArrayLike, step: Any = 1.0) -> Array:
        """A margin below 1 raised by 2 step/(1 + 2 step) of what it lacks."""
        m, sign = signed(prediction, target)
        step = jnp.asarray(step, m.dtype)
        return sign * (m + jnp.maximum(1 - m, 0.0) * (2 * step / (1 + 2 * step)))

    def admits(self, target: np.ndarray) -> np.ndarray:
        return (target == 0) | (target == 1)
