"""Projection of the summed gradient onto the directions that harm no task."""

from __future__ import annotations

from jaxreg._linalg import matmul
from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike
from jaxreg.weightings._base import Weighting, vector, within
from jaxreg.weightings._gram import split, square
from jaxreg.weightings._qp import nonnegative


@pytree
class DualProj(Weighting):
    """The summed gradient projected onto the dual cone {d: gᵢ·d >= 0 for all i}: argmin v'Gv over v >= preference.

    Gradient episodic memory, Lopez-Paz and Ranzato 2017, eq. 11.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.weightings.DualProj()(jnp.array([[1.0, -2.0], [-2.0, 9.0]])).round(4).tolist()
    [2.0, 1.0]
    """

    preference: ArrayLike = 1.0

    def __call__(self, gramian: ArrayLike, losses: ArrayLike | None = None, key: Array | None = None) -> Array:
        """The weights, at least the preference."""
        G = square(gramian)
        gram = split(G)
        sizes = vector(self.preference, len(G), gram.norms.dtype) * gram.norms * gram.present
        return gram.weights(sizes + nonnegative(gram.cosines, matmul(gram.cosines, sizes)), G.dtype)

    def check(self) -> None:
        """Raise ValueError unless preference >= 0."""
        within(self, "preference", 0.0)
