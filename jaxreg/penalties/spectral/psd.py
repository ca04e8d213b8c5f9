"""The cone of symmetric positive semidefinite matrices."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from jaxreg._pytree import pytree
from jaxreg._typing import Array
from jaxreg.penalties._base import Leafwise
from jaxreg.penalties.spectral._ball import membership
from jaxreg.penalties.spectral._divided import flip, rounding
from jaxreg.penalties.spectral._symmetric import eigenvalues, map_symmetric


@pytree
class PSD(Leafwise):
    """The set of symmetric positive semidefinite matrices on the last two axes.

    The value is 0 inside, to rounding, and infinite outside; the projection drops the negative eigenvalues of the
    symmetric part (Higham 1988, Theorem 2.1). Raises ValueError unless the last two axes are equal.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.PSD().prox(jnp.diag(jnp.array([3.0, -1.0]))).round().astype(int).tolist()
    [[3, 0], [0, 0]]
    """

    homogeneous = indicator = True

    def leaf_terms(self, x: Array) -> Array:
        """0 inside, else infinity, for each matrix, its axes kept."""
        values = eigenvalues(x)
        skew = jnp.max(jnp.abs(x - flip(x)), axis=(-2, -1), keepdims=True, initial=0)
        largest = jnp.max(jnp.abs(values), axis=-1, initial=0)[..., None, None]
        lowest = jnp.max(-values, axis=-1, initial=0)[..., None, None]
        return membership(jnp.maximum(skew, lowest), largest * rounding(x)[0], x)

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Projection of the symmetric part."""
        return map_symmetric(_drop_negative, x, rounding(x))


def _drop_negative(values: Array, slack: Array) -> Array:
    inside = values[0] >= -slack * jnp.max(jnp.abs(values))
    return jnp.where(inside | (values > 0), values, 0.0 * values)
