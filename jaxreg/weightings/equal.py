"""The plain sum of the task gradients."""

from __future__ import annotations

import jax.numpy as jnp

from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike
from jaxreg.weightings._base import Weighting, vector
from jaxreg.weightings._gram import square, there


@pytree
class Equal(Weighting):
    """wᵢ = preferenceᵢ: the gradient of the (weighted) sum of the losses, the baseline of everything else.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.weightings.Equal()(jnp.eye(3)).tolist()
    [1.0, 1.0, 1.0]
    """

    preference: ArrayLike = 1.0
    from_gramian = False

    def __call__(self, gramian: ArrayLike, losses: ArrayLike | None = None, key: Array | None = None) -> Array:
        """The preference of every task that is there."""
        G = square(gramian)
        return jnp.where(there(G), vector(self.preference, len(G), G.dtype), 0.0)
