"""Weights that are learned by descent on the losses they weigh."""

from __future__ import annotations

import jax.numpy as jnp

from jaxreg._linalg import widen
from jaxreg._typing import Array, ArrayLike
from jaxreg.weightings._base import Weighting, keep, needed
from jaxreg.weightings._gram import square, there


def learned(
    weighting: Weighting, gramian: ArrayLike, logs: ArrayLike, losses: ArrayLike | None, rate: ArrayLike, level: float
) -> tuple[Array, Array]:
    """Weights wᵢ = level exp(uᵢ), and the logarithms u after a step down Σ wᵢ lossᵢ - level uᵢ.

    The limit is wᵢ lossᵢ = level.
    """
    G = square(gramian)
    present, dtype = there(G), widen(G).dtype
    u = jnp.asarray(logs, dtype)
    w = level * jnp.exp(u)
    moved = u - jnp.asarray(rate, dtype) * (w * needed(weighting, losses, dtype, present) - level)
    return jnp.where(present, w, 0.0).astype(G.dtype), keep(present, moved, jnp.asarray(logs))
