"""The set of matrices of bounded nuclear norm."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike
from jaxreg.penalties._base import Leafwise
from jaxreg.penalties._project import l1_ball
from jaxreg.penalties.spectral._ball import check_radius, membership
from jaxreg.penalties.spectral._divided import per_matrix, rounding
from jaxreg.penalties.spectral._singular import map_singular, singular_values


@pytree
class NuclearBall(Leafwise):
    """The set of matrices, on the last two axes, whose singular values sum to at most `radius` (Fazel 2002).

    The value is 0 inside, to rounding, and infinite outside; the projection projects singular values onto the ball
    Σ|σᵢ| <= radius (Cai, Candès and Shen 2010; Duchi et al. 2008). `radius` is a number or an array (..., 1, 1).

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.NuclearBall(2.0).prox(jnp.diag(jnp.array([3.0, 0.5]))).round().astype(int).tolist()
    [[2, 0], [0, 0]]
    """

    radius: ArrayLike = 1.0
    indicator = dualisable = bounded = True

    def check(self) -> None:
        """Raise ValueError for a negative radius."""
        check_radius(self, self.radius)

    def leaf_terms(self, x: Array) -> Array:
        """0 inside, else infinity, for each matrix, its axes kept."""
        return membership(jnp.sum(singular_values(x), axis=-1)[..., None, None], self.radius, x)

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Projection."""
        return map_singular(_project, x, per_matrix(self.radius, x), rounding(x))

    def leaf_conjugate(self, u: Array) -> Array:
        """The support function, radius times the largest singular value."""
        return jnp.sum(jnp.max(singular_values(u), axis=-1, initial=0) * per_matrix(self.radius, u)[..., 0])


def _project(s: Array, radius: Array, slack: Array) -> Array:
    return jnp.where(jnp.sum(s) <= radius * (1 + slack), s, l1_ball(s, radius[0]))
