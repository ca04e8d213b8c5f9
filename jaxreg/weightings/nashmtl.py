"""Multi-task learning as a bargaining game."""

from __future__ import annotations

import jax.numpy as jnp

from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike
from jaxreg.weightings._base import Weighting
from jaxreg.weightings._fair import balance
from jaxreg.weightings._gram import split, square


@pytree
class NashMTL(Weighting):
    """The Nash bargaining solution: G w = 1/w, w > 0, entry by entry (Navon et al. 2022, claim 3.1).

    The direction maximises Σ log gᵢ·d in a ball; it conflicts with no task and is free of each loss's scale. It is
    solved exactly, as the minimum of ½w'Gw - Σ log wᵢ, where the paper iterates convex approximations. Near Pareto
    stationary points weights grow without bound, as the game's do: limit the update's length there.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.weightings.NashMTL()(jnp.diag(jnp.array([1.0, 16.0]))).round(4).tolist()
    [1.0, 0.25]
    """

    def __call__(self, gramian: ArrayLike, losses: ArrayLike | None = None, key: Array | None = None) -> Array:
        """The weights, of size 1/norm."""
        G = square(gramian)
        gram = split(G)
        units = balance(gram.cosines, jnp.ones_like(gram.norms), jnp.ones((), gram.norms.dtype))
        return gram.weights(units, G.dtype)
