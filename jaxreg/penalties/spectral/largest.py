"""The largest singular value, and the set where it is bounded."""

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
class SpectralNorm(Leafwise):
    """The largest singular value of the last two axes, whose dual norm is the nuclear norm.

    The prox lowers the largest singular values to one level, σ - P(σ) with P the projection onto the ball Σ|σᵢ| <= step
    (Moreau 1965; Parikh and Boyd 2014, section 6.7.2). Raises ValueError on arrays with fewer than two axes.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.SpectralNorm().prox(jnp.diag(jnp.array([3.0, 2.5])), 1.5).round().astype(int).tolist()
    [[2, 0], [0, 2]]
    """

    homogeneous = gauge = dualisable = True

    def leaf_terms(self, x: Array) -> Array:
        """The largest singular value of each matrix, its axes kept."""
        return _top(x)

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """The largest singular values lowered to one level."""
        return map_singular(_lower, x, per_matrix(step, x))

    def leaf_dual_terms(self, u: Array) -> Array:
        """The nuclear norm of each matrix."""
        return jnp.sum(singular_values(u), axis=-1)[..., None, None]


@pytree
class SpectralBall(Leafwise):
    """The set of matrices, on the last two axes, whose largest singular value is at most `radius`.

    The value is 0 inside, to rounding, and infinite outside; the projection caps singular values (Lewis 1995). `radius`
    is a number or an array (..., 1, 1).

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.SpectralBall(2.0).prox(jnp.diag(jnp.array([3.0, 1.0]))).round().astype(int).tolist()
    [[2, 0], [0, 1]]
    """

    radius: ArrayLike = 1.0
    indicator = dualisable = bounded = True

    def check(self) -> None:
        """Raise ValueError for a negative radius."""
        check_radius(self, self.radius)

    def leaf_terms(self, x: Array) -> Array:
        """0 inside, else infinity, for each matrix, its axes kept."""
        return membership(_top(x), self.radius, x)

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Projection: singular values above the radius are lowered to it."""
        return map_singular(_cap, x, per_matrix(self.radius, x), rounding(x))

    def leaf_conjugate(self, u: Array) -> Array:
        """The support function, radius times the nuclear norm."""
        return jnp.sum(jnp.sum(singular_values(u), axis=-1) * per_matrix(self.radius, u)[..., 0])


def _top(x: Array) -> Array:
    return jnp.max(singular_values(x), axis=-1, initial=0)[..., None, None]


def _lower(s: Array, step: Array) -> Array:
    return s - l1_ball(s, step[0])


def _cap(s: Array, radius: Array, slack: Array) -> Array:
    return jnp.where(s[0] <= radius * (1 + slack), s, jnp.where(s <= radius, s, radius))
