"""Impartial multi-task learning by gradients."""

from __future__ import annotations

import jax.numpy as jnp

from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike
from jaxreg.weightings._base import Weighting
from jaxreg.weightings._gram import even, split, square


@pytree
class IMTLG(Weighting):
    """Weights of sum 1 for which the result has the same projection on every gradient's direction.

    G w proportional to the norms, so that w is C⁺1/norms divided by its sum, with cosines C (Liu et al. 2021).
    Weights may be negative; they are 0 where their sum vanishes, because no such weights exist.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.weightings.IMTLG()(jnp.diag(jnp.array([1.0, 9.0]))).round(4).tolist()
    [0.75, 0.25]
    """

    def __call__(self, gramian: ArrayLike, losses: ArrayLike | None = None, key: Array | None = None) -> Array:
        """The weights."""
        G = square(gramian)
        gram = split(G)
        w = gram.weights(even(gram), gram.norms.dtype)
        total, size = jnp.sum(w), jnp.sum(jnp.abs(w))
        exists = ~(jnp.abs(total) <= 8 * jnp.finfo(w.dtype).eps * size)
        return jnp.where(exists, w / jnp.where(exists, total, 1.0), 0.0).astype(G.dtype)
