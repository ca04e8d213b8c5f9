"""Absolute values: the lasso."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from jaxreg._pytree import pytree, static
from jaxreg._typing import Array
from jaxreg.penalties._base import Leafwise


@pytree
class L1(Leafwise):
    """Absolute values, Σ|xⱼ|: the lasso (Tibshirani 1996).

    The prox is soft thresholding, sign(x) max(|x| - step, 0), exact also for an array of steps. With `positive=True`
    it is Σ xⱼ where x >= 0 and infinite elsewhere, whatever the strength: the nonnegative lasso, with prox
    max(x - step, 0). Raises TypeError for a `positive` that is no bool.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> (2.0 * jr.L1()).prox(jnp.array([3.0, -1.0]), 1.0).tolist()
    [1.0, 0.0]
    >>> jr.L1(positive=True).prox(jnp.array([3.0, -3.0]), 1.0).tolist()
    [2.0, 0.0]
    """

    positive: bool = static(default=False)
    homogeneous = gauge = elementwise = uniform = metric = dualisable = True
    even = property(lambda self: not self.positive)

    def __post_init__(self) -> None:
        if not isinstance(self.positive, bool):
            raise TypeError(f"L1: positive is {self.positive!r}, expected a bool; strengths multiply: 0.1 * L1().")

    def leaf_terms(self, x: Array) -> Array:
        """|x|, with derivative 0 at 0."""
        return jnp.where(self.leaf_outside(x), jnp.inf, jnp.abs(x))

    def leaf_outside(self, x: Array) -> Array:
        """Where x is negative, if that is not allowed."""
        return x < 0 if self.positive else jnp.zeros((), bool)

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Soft thresholding; an infinite step gives 0."""
        size, pull = (x, step) if self.positive else (jnp.abs(x), jnp.where(x > 0, step, -step))
        return jnp.where(size <= step, jnp.zeros_like(x), x - pull)

    def leaf_dual_terms(self, u: Array) -> Array:
        """|u|, or its positive part."""
        return jnp.maximum(u, 0.0) if self.positive else jnp.abs(u)
