"""Projection of every task gradient onto the directions that harm no task."""

from __future__ import annotations

import jax

from jaxreg._linalg import matmul
from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike
from jaxreg.weightings._base import Weighting, vector, within
from jaxreg.weightings._gram import split, square
from jaxreg.weightings._qp import nonnegative


@pytree
class UPGrad(Weighting):
    """The sum of the gradients, each projected onto the dual cone {d: gᵢ·d >= 0 for all i}.

    Weights Σᵢ argmin v'Gv over v >= preferenceᵢ eᵢ (Quinton and Rey 2024, eq. 5 and proposition 1). No task conflicts
    with the result, which grows linearly with each gradient; without conflict it is the plain sum.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.weightings.UPGrad()(jnp.array([[1.0, -0.5], [-0.5, 1.0]])).round(4).tolist()
    [1.5, 1.5]
    """

    preference: ArrayLike = 1.0

    def __call__(self, gramian: ArrayLike, losses: ArrayLike | None = None, key: Array | None = None) -> Array:
        """The weights, at least the preference."""
        G = square(gramian)
        gram = split(G)
        sizes = vector(self.preference, len(G), gram.norms.dtype) * gram.norms
        lifts = jax.vmap(nonnegative, (None, 0))(gram.cosines, gram.cosines)
        return gram.weights(sizes + matmul(sizes, lifts), G.dtype)

    def check(self) -> None:
        """Raise ValueError unless preference >= 0."""
        within(self, "preference", 0.0)
