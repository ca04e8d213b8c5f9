"""Random weights, a baseline that is hard to beat."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxreg._linalg import widen
from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike
from jaxreg.weightings._base import Weighting, keyed
from jaxreg.weightings._gram import square, there


@pytree
class RandomLoss(Weighting):
    """Random loss weighting: softmax of independent normal numbers, new ones each step (Lin et al. 2022).

    Raises ValueError without a key.

    >>> import jax, jax.numpy as jnp, jaxreg as jr
    >>> jr.weightings.RandomLoss()(jnp.eye(3), key=jax.random.key(0)).sum().round(3).item()
    1.0
    """

    from_gramian = False
    random = True

    def __call__(self, gramian: ArrayLike, losses: ArrayLike | None = None, key: Array | None = None) -> Array:
        """The weights, on the simplex."""
        G = square(gramian)
        present = there(G)
        draws = jax.random.normal(keyed(self, key), (len(G),), widen(G).dtype)
        return jnp.where(present, jax.nn.softmax(jnp.where(present, draws, -jnp.inf)), 0.0).astype(G.dtype)
