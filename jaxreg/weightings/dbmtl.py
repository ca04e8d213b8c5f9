"""Dual balancing: losses by their logarithm, gradients by their norm."""

from __future__ import annotations

import jax.numpy as jnp

from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike
from jaxreg.weightings._base import Weighting, needed
from jaxreg.weightings._gram import split, square


@pytree
class DBMTL(Weighting):
    """All gradients of log-losses brought to the length of the longest: wᵢ = maxⱼ(‖gⱼ‖/lossⱼ)/‖gᵢ‖.

    Lin et al. 2023, without their running mean of the gradients, which no Gramian holds. Without losses
    the gradients are brought to the longest of themselves.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.weightings.DBMTL()(jnp.diag(jnp.array([1.0, 4.0])), jnp.array([1.0, 4.0])).tolist()
    [1.0, 0.5]
    """

    def __call__(self, gramian: ArrayLike, losses: ArrayLike | None = None, key: Array | None = None) -> Array:
        """The weights, of size 1/norm."""
        G = square(gramian)
        gram = split(G)
        levels = gram.norms if losses is None else gram.norms / needed(self, losses, gram.norms.dtype, gram.present)
        top = jnp.max(jnp.where(gram.present, levels, 0.0))
        return gram.weights(jnp.broadcast_to(top, gram.norms.shape), G.dtype)
