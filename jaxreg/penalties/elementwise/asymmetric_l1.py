"""Absolute values that weigh the two signs differently: the pinball function as a penalty."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike
from jaxreg.penalties._base import Leafwise
from jaxreg.penalties._scaled import weigh
from jaxreg.penalties.elementwise._entry import require, spread, within


@pytree
class AsymmetricL1(Leafwise):
    """Σ max(τxⱼ, (τ - 1)xⱼ) with 0 < τ < 1: slope τ above zero and 1 - τ below (Koenker and Bassett 1978).

    A gauge, half of L1 at τ = ½. The prox subtracts the nearest number in [-(1 - τ) step, τ step]. `quantile` τ is a
    number or an array that broadcasts.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.AsymmetricL1(0.25).prox(jnp.array([2.0, -2.0, -0.5]), 1.0).tolist()
    [1.75, -1.25, 0.0]
    """

    quantile: ArrayLike = 0.5
    homogeneous = gauge = elementwise = metric = dualisable = True

    def check(self) -> None:
        """Raise ValueError unless 0 < quantile < 1."""
        require("AsymmetricL1", "quantile", self.quantile, lambda v: (v > 0) & (v < 1), "between 0 and 1")

    def leaf_terms(self, x: Array) -> Array:
        """The pinball function, with derivative 0 at 0."""
        return x * jnp.sign(x) * self._slope(x)

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Soft thresholding with one threshold for each sign; an infinite step gives 0."""
        bar = weigh(self._slope(x), jnp.asarray(step, x.dtype), x.shape)
        return jnp.where(x * jnp.sign(x) <= bar, jnp.zeros_like(x), x - jnp.sign(x) * bar)

    def leaf_dual_terms(self, u: Array) -> Array:
        """u/τ above zero, -u/(1 - τ) below."""
        return jnp.abs(u) / self._slope(u)

    def leaf_floor(self) -> Any:
        """1, if the parameter is in range."""
        return within(1.0, jnp.asarray(self.quantile) > 0, jnp.asarray(self.quantile) < 1)

    def _slope(self, x: Array) -> Array:
        """τ where x > 0, 1 - τ elsewhere."""
        (quantile,) = spread(x, self.quantile)
        return jnp.where(x > 0, quantile, 1.0 - quantile)
