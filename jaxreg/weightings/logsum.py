"""The sum of the logarithms of the losses."""

from __future__ import annotations

import jax.numpy as jnp

from jaxreg._linalg import widen
from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike
from jaxreg.weightings._base import Weighting, needed
from jaxreg.weightings._gram import square, there


@pytree
class LogSum(Weighting):
    """wᵢ = 1/lossᵢ, the gradient of Σ log lossᵢ: free of each loss's scale.

    The geometric loss strategy (Chennupati et al. 2019) up to a common factor. Losses must be positive.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.weightings.LogSum()(jnp.eye(2), jnp.array([1.0, 4.0])).tolist()
    [1.0, 0.25]
    """

    from_gramian = False
    from_losses = True

    def __call__(self, gramian: ArrayLike, losses: ArrayLike | None = None, key: Array | None = None) -> Array:
        """The weights."""
        G = square(gramian)
        present = there(G)
        return jnp.where(present, 1 / needed(self, losses, widen(G).dtype, present), 0.0).astype(G.dtype)
