"""Sorted absolute values: SLOPE and OSCAR."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg._pytree import pytree, show
from jaxreg._typing import Array, ArrayLike
from jaxreg._validate import traced
from jaxreg.penalties._base import Leafwise
from jaxreg.penalties._isotonic import isotonic
from jaxreg.penalties.sets._rounding import nothing


@pytree
class SLOPE(Leafwise):
    """Σ wᵢ |x|₍ᵢ₎ over the descending absolute values of the whole array, for weights that do not increase.

    The sorted L1 norm (Bogdan et al. 2015): large entries pay most, and entries of about one size become equal in size.
    The prox is the decreasing regression on the sorted |x| - step w, cut off at 0 (their FastProxSL1), exactly.
    `weights` has one number for each entry; ValueError otherwise.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.SLOPE(jnp.array([2.0, 1.0, 0.0])).prox(jnp.array([-4.0, 0.5, 3.5]), 1.0).tolist()
    [-2.25, 0.5, 2.25]
    """

    weights: ArrayLike
    homogeneous = gauge = even = dualisable = True

    @staticmethod
    def oscar(strength: ArrayLike, slope: ArrayLike, size: int) -> SLOPE:
        """Strength Σ|xᵢ| + slope Σ_{i<j} max(|xᵢ|, |xⱼ|) for `size` entries (Bondell and Reich 2008).

        Its weights are strength + slope (size - i), i = 1 ... size.
        """
        return SLOPE(strength + slope * np.arange(size - 1, -1, -1))

    def check(self) -> None:
        """Raise ValueError unless w₁ >= w₂ >= ... >= 0, all finite."""
        if traced(self.weights):
            return
        w = np.asarray(self.weights, float)
        if not (np.all(np.isfinite(w)) and np.all(w >= 0) and np.all(np.diff(w, axis=-1) <= 0)):
            raise ValueError(
                f"weights of SLOPE are {show(self.weights)}, expected finite numbers >= 0 that do not increase: the "
                "largest entry comes first and is penalised most."
            )

    def leaf_terms(self, x: Array) -> Array:
        """The weighted sum, one term."""
        return jnp.sum(self._spread(x) * _falling((x * jnp.sign(x)).reshape(-1)))

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Regression on the shrunk sorted entries, put back in place; an infinite step gives 0."""
        w, flat = self._spread(x), x.reshape(-1)
        if not flat.size:
            return x
        ends = jnp.isinf(step)
        size = flat * jnp.sign(flat)
        place = jnp.argsort(-jax.lax.stop_gradient(size))
        shrunk = size[place] - jnp.where(ends, 0.0, step) * w
        fitted = jnp.where(jnp.any(jnp.isnan(shrunk)), jnp.nan, -isotonic(-shrunk, jnp.ones_like(shrunk)))
        kept = jnp.where(fitted > 0, fitted, nothing(fitted))
        moved = jnp.sign(flat) * jnp.zeros_like(flat).at[place].set(kept)
        return jnp.where(ends & (w[0] > 0), nothing(flat), moved).reshape(x.shape)

    def leaf_dual_terms(self, u: Array) -> Array:
        """The largest ratio of Σ_{i<=k} |u|₍ᵢ₎ to Σ_{i<=k} wᵢ over k."""
        sums, weights = jnp.cumsum(_falling(jnp.abs(u).reshape(-1))), jnp.cumsum(self._spread(u))
        free = jnp.where(sums > 0, jnp.inf, 0.0).astype(u.dtype)
        return jnp.max(jnp.where(weights > 0, sums / jnp.where(weights > 0, weights, 1.0), free), initial=0)

    def leaf_floor(self) -> Any:
        """The largest weight: where it is positive, no entry goes unpenalised."""
        return jnp.max(jnp.asarray(self.weights), initial=0)

    def _spread(self, x: Array) -> Array:
        w = jnp.asarray(self.weights, x.dtype)
        if w.shape != (x.size,):
            raise ValueError(
                f"SLOPE needs one weight for each entry: weights of shape {w.shape} for an array of {x.size} entries."
            )
        return w


def _falling(size: Array) -> Array:
    return -jnp.sort(-size)
