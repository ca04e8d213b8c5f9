"""Conflict-free inverse gradients."""

from __future__ import annotations

import jax.numpy as jnp

from jaxreg._linalg import matmul
from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike
from jaxreg.weightings._base import Weighting
from jaxreg.weightings._gram import even, split, square


@pytree
class ConFIG(Weighting):
    """The direction û with the same cosine to all gradients, times Σ gᵢ·û (Liu, Chu and Thuerey 2025, eq. 2 and 3).

    û is the unit vector along U⁺1 = U'C⁺1, where the rows of U are the unit gradients and C their cosines; independent
    gradients never conflict with it.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.weightings.ConFIG()(jnp.diag(jnp.array([1.0, 9.0]))).round(4).tolist()
    [2.0, 0.66...]
    """

    def __call__(self, gramian: ArrayLike, losses: ArrayLike | None = None, key: Array | None = None) -> Array:
        """The weights."""
        G = square(gramian)
        gram = split(G)
        units = even(gram)
        along = matmul(gram.cosines, units)
        square_length = matmul(units, along)
        safe = jnp.where(square_length > 0, square_length, 1.0)
        total = jnp.sum(jnp.where(gram.present, gram.norms * along, 0.0))
        return gram.weights(units * jnp.where(square_length == 0, 0.0, total / safe), G.dtype)
