"""Targets that are zero or positive, between counts and gamma."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike
from jaxreg.losses._base import Loss, pair, per_example
from jaxreg.losses._check import ranged
from jaxreg.losses._roots import shrunk

_SMALL = 1e-2


@pytree
class Tweedie(Loss):
    """Half the Tweedie deviance with log link and variance μᵖ, p = `power` (Jørgensen 1987), for targets y >= 0.

    e^((2-p)z)/(2-p) + y e^((1-p)z)/(p-1) up to a constant, chosen so that power 1 is `Poisson` and power 2 is
    `Gamma`; between them zeros have positive probability, as total insurance claims do.

    >>> import jaxreg as jr
    >>> [float(jr.Tweedie(p)(0.0, 3.0)) for p in (1.0, 1.5, 2.0)]
    [1.0, 2.0, 3.0]
    """

    power: ArrayLike = 1.5
    expects = "a number >= 0, > 0 at power 2"
    proximable = True

    def __call__(self, prediction: ArrayLike, target: ArrayLike) -> Array:
        """Half the deviance less a constant, summed over outputs."""
        z, y = pair(prediction, target)
        p = jnp.asarray(self.power, z.dtype)
        fall = jnp.where(y > 0, z, 0.0)
        return per_example(_growth(2 - p, z) + (2 - p) + y * ((p - 1) - _growth(1 - p, fall)))

    def prox(self, prediction: ArrayLike, target: ArrayLike, step: Any = 1.0) -> Array:
        """The root u of u - z + step(e^((2-p)u) - y e^((1-p)u)), by a safeguarded Newton method."""
        z, y = pair(prediction, target)
        step, y = jnp.broadcast_to(jnp.asarray(step, z.dtype), z.shape), jnp.broadcast_to(y, z.shape)
        p = jnp.asarray(self.power, z.dtype)

        def slope(u: Array) -> Array:
            fall = jnp.where(y > 0, (1 - p) * u, 0.0)
            return step * (jnp.exp((2 - p) * u) - y * jnp.exp(fall))

        return shrunk(z, slope)

    def admits(self, target: np.ndarray) -> np.ndarray:
        return (target > 0) | ((target == 0) & (np.asarray(self.power) < 2))

    def check(self) -> None:
        """Raise ValueError unless 1 <= power <= 2."""
        ranged(self, "power", 1.0, 2.0, closed=True, hint=" Squared() is the Tweedie loss of power 0.")


def _growth(rate: Array, z: Array) -> Array:
    """(e^(rate z) - 1)/rate, by its series near rate 0, where it is z."""
    x = rate * z
    near = jnp.abs(x) < _SMALL
    t = jnp.where(near, x, 0.0)
    series = z * (1 + t / 2 * (1 + t / 3 * (1 + t / 4 * (1 + t / 5 * (1 + t / 6 * (1 + t / 7))))))
    exact = jnp.expm1(jnp.where(near, 1.0, x)) / jnp.where(near, 1.0, rate)
    return jnp.where(near, series, exact)
