"""The nonnegative orthant."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from jaxreg._pytree import pytree
from jaxreg._typing import Array
from jaxreg.penalties._base import Leafwise


@pytree
class NonNegative(Leafwise):
    """The set x >= 0: value 0 inside, infinity outside; a strength does not change it.

    The projection is max(x, 0) (Beck 2017, Lemma 6.26).

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> (0.5 * jr.L1() + jr.NonNegative()).prox(jnp.array([2.0, -2.0]), 1.0).tolist()
    [1.5, 0.0]
    """

    homogeneous = elementwise = uniform = indicator = metric = True

    def leaf_terms(self, x: Array) -> Array:
        """0 where x >= 0, else infinity."""
        return jnp.where(x >= 0, 0.0, jnp.where(jnp.isnan(x), jnp.nan, jnp.inf)).astype(x.dtype)

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Projection max(x, 0)."""
        return jnp.where(x <= 0, jnp.zeros_like(x), x)
