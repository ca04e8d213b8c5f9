"""The multiple-gradient descent algorithm."""

from __future__ import annotations

import jax.numpy as jnp

from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike
from jaxreg.weightings._base import Weighting
from jaxreg.weightings._gram import split, square
from jaxreg.weightings._qp import simplex


@pytree
class MGDA(Weighting):
    """The shortest convex combination of the gradients, argmin w'Gw over w >= 0, Σw = 1.

    Désidéri 2012 (Sener and Koltun 2018, eq. 3): every task descends at the same rate at least, gᵢ·d >=
    ‖d‖², and d = 0 exactly at Pareto stationary points.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.weightings.MGDA()(jnp.diag(jnp.array([1.0, 3.0]))).round(4).tolist()
    [0.75, 0.25]
    """

    def __call__(self, gramian: ArrayLike, losses: ArrayLike | None = None, key: Array | None = None) -> Array:
        """The weights, on the simplex."""
        G = square(gramian)
        gram = split(G)
        units = simplex(gram.cosines, jnp.where(gram.present, 1 / gram.norms, 0.0), jnp.zeros_like(gram.norms))
        return gram.weights(units, G.dtype)
