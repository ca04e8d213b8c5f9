"""The rank, and the set where it is bounded."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from jaxreg._pytree import pytree, static
from jaxreg._typing import Array
from jaxreg.penalties._base import Leafwise
from jaxreg.penalties.spectral._ball import membership
from jaxreg.penalties.spectral._divided import per_matrix, rounding
from jaxreg.penalties.spectral._singular import count, map_singular, singular_values


@pytree
class Rank(Leafwise):
    """The number of singular values of the last two axes that are not zero, to rounding; not convex.

    The prox keeps the singular values above sqrt(2 step) and drops the others, by the theorem of Eckart, Young and
    Mirsky (Mirsky 1960). Raises ValueError on arrays with fewer than two axes.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.Rank().prox(jnp.diag(jnp.array([3.0, 1.0])), 2.0).round().astype(int).tolist()
    [[3, 0], [0, 0]]
    """

    convex = False

    def leaf_terms(self, x: Array) -> Array:
        """The rank of each matrix, its axes kept."""
        s = singular_values(x)
        least = jnp.max(s, axis=-1, keepdims=True, initial=0) * rounding(x)[0]
        kept = jnp.where(jnp.isnan(s), s, (s > least).astype(x.dtype))
        return jnp.sum(kept, axis=-1)[..., None, None]

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Hard thresholding of singular values."""
        return map_singular(_hard, x, per_matrix(step, x))


@pytree
class RankBall(Leafwise):
    """The set of matrices, on the last two axes, of rank at most `rank`; a cone, not convex.

    The value is 0 inside, to rounding, and infinite outside; the projection keeps the largest singular values
    (Eckart and Young 1936). `rank` is part of the structure; ValueError unless it is an integer >= 0.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.RankBall(1).prox(jnp.diag(jnp.array([3.0, 1.0]))).round().astype(int).tolist()
    [[3, 0], [0, 0]]
    """

    rank: int = static(default=1)
    convex = False
    homogeneous = indicator = True

    def __post_init__(self) -> None:
        if not isinstance(self.rank, int) or self.rank < 0:
            raise ValueError(f"RankBall: rank is {self.rank!r}, expected an integer >= 0.")

    def leaf_terms(self, x: Array) -> Array:
        """0 inside, else infinity, for each matrix, its axes kept."""
        s = singular_values(x)
        first, rest = (jnp.max(v, axis=-1, initial=0)[..., None, None] for v in (s, s[..., self.rank :]))
        return membership(jnp.where(jnp.isnan(first), first, rest), first * rounding(x)[0], x)

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Projection: the largest singular values are kept."""
        keep = (jnp.arange(count(x)) < self.rank).astype(x.dtype)
        return map_singular(_truncate, x, keep, rounding(x))


def _hard(s: Array, step: Array) -> Array:
    return jnp.where(s <= jnp.sqrt(2 * step), 0.0, s)


def _truncate(s: Array, keep: Array, slack: Array) -> Array:
    inside = jnp.max(s * (1 - keep)) <= s[0] * slack * (1 + slack)
    return jnp.where(inside, s, s * keep)
