"""Independent component alignment."""

from __future__ import annotations

import jax.numpy as jnp

from jaxreg._linalg import matmul, widen
from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike
from jaxreg.weightings._base import Weighting, vector
from jaxreg.weightings._gram import square, there


@pytree
class AlignedMTL(Weighting):
    """The sum of the gradients after all singular values of their matrix are made equal to the smallest.

    w = σ_min V Σ⁻¹ V' preference with G = V Σ² V' (Senushkin et al. 2023); σ_min is the smallest singular value
    that counts at this precision, and what lies below it is dropped.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.weightings.AlignedMTL()(jnp.diag(jnp.array([1.0, 16.0]))).round(4).tolist()
    [1.0, 0.25]
    """

    preference: ArrayLike = 1.0

    def __call__(self, gramian: ArrayLike, losses: ArrayLike | None = None, key: Array | None = None) -> Array:
        """The weights."""
        G = square(gramian)
        wide, present = widen(G), there(G)
        top = jnp.max(jnp.where(present, jnp.diagonal(wide), 0.0))
        top = jnp.where(top == 0, 1.0, top)
        values, vectors = jnp.linalg.eigh(0.5 * (wide + wide.T) / top)
        kept = ~(values <= len(G) * jnp.finfo(wide.dtype).eps * values[-1])
        least = jnp.min(jnp.where(kept, values, values[-1]))
        ratio = jnp.where(kept, jnp.sqrt(least / jnp.where(kept, values, 1.0)), 0.0)
        along = matmul(vector(self.preference, len(G), wide.dtype) * present, vectors)
        return jnp.where(present, matmul(vectors, ratio * along), 0.0).astype(G.dtype)
