"""Smooth Tchebycheff scalarisation."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxreg._linalg import widen
from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike
from jaxreg.weightings._base import Weighting, needed, vector, within
from jaxreg.weightings._gram import square, there


@pytree
class STCH(Weighting):
    """The gradient of μ log Σ exp(preferenceᵢ(lossᵢ - idealᵢ)/μ), the worst task smoothed (Lin et al. 2024).

    wᵢ = preferenceᵢ softmax(preference (loss - ideal)/μ)ᵢ; `temperature` μ to 0 is the worst task alone, infinity the
    mean.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.weightings.STCH(temperature=1.0)(jnp.eye(2), jnp.array([3.0, 3.0])).tolist()
    [0.5, 0.5]
    """

    temperature: ArrayLike = 0.1
    preference: ArrayLike = 1.0
    ideal: ArrayLike = 0.0
    from_gramian = False
    from_losses = True

    def __call__(self, gramian: ArrayLike, losses: ArrayLike | None = None, key: Array | None = None) -> Array:
        """The weights."""
        G = square(gramian)
        present, dtype = there(G), widen(G).dtype
        preference, ideal = (vector(v, len(G), dtype) for v in (self.preference, self.ideal))
        levels = preference * (needed(self, losses, dtype, present) - ideal) / jnp.asarray(self.temperature, dtype)
        shares = jax.nn.softmax(jnp.where(present, levels, -jnp.inf))
        return jnp.where(present, preference * shares, 0.0).astype(G.dtype)

    def check(self) -> None:
        """Raise ValueError unless temperature > 0 and preference >= 0."""
        within(self, "temperature", 0.0, strict=True)
        within(self, "preference", 0.0)
