"""Absolute values: the lasso."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from jaxreg._pytree import pytree
from jaxreg._typing import Array
from jaxreg.penalties._base import Leafwise


@pytree
class L1(Leafwise):
    """Absolute values, Σ|xⱼ|: the lasso (Tibshirani 1996).

    The prox is soft thresholding, sign(x) max(|x| - step, 0), exact also for an array of steps.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> (2.0 * jr.L1()).prox(jnp.array([3.0, -1.0]), 1.0).tolist()
    [1.0, 0.0]
    """

    homogeneous = gauge = elementwise = uniform = metric = dualisable = True

    def leaf_terms(self, x: Array) -> Array:
        """|x|, with derivative 0 at 0."""
        return x * jnp.sign(x)

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Soft thresholding; an infinite step gives 0."""
        return jnp.where(x * jnp.sign(x) <= step, jnp.zeros_like(x), x - jnp.sign(x) * step)

    def leaf_dual_terms(self, u: Array) -> Array:
        """|u|."""
        return jnp.abs(u)
