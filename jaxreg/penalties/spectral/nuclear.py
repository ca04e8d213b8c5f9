"""Sums of singular values: the nuclear norm and its weighted kind."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxreg._pytree import pytree, show
from jaxreg._typing import Array, ArrayLike
from jaxreg._validate import traced
from jaxreg.penalties._base import Leafwise
from jaxreg.penalties.spectral._divided import per_matrix
from jaxreg.penalties.spectral._singular import count, map_singular, singular_values


@pytree
class Nuclear(Leafwise):
    """Sum of singular values of the last two axes, the convex envelope of rank (Fazel 2002).

    The prox soft-thresholds singular values, U max(S - step, 0) Vᵀ (Cai, Candès and Shen 2010, Theorem 2.1). Raises
    ValueError on arrays with fewer than two axes.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.Nuclear().prox(jnp.diag(jnp.array([3.0, 0.5])), 1.0).round().astype(int).tolist()
    [[2, 0], [0, 0]]
    """

    homogeneous = gauge = dualisable = True

    def leaf_terms(self, x: Array) -> Array:
        """The nuclear norm of each matrix, its axes kept."""
        return jnp.sum(singular_values(x), axis=-1)[..., None, None]

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Singular value thresholding."""
        return map_singular(_soft, x, per_matrix(step, x))

    def leaf_dual_terms(self, u: Array) -> Array:
        """The largest singular value of each matrix."""
        return jnp.max(singular_values(u), axis=-1, initial=0)[..., None, None]


@pytree
class WeightedNuclear(Leafwise):
    """Σ wᵢ σᵢ over the descending singular values of the last two axes, with weights that do not decrease.

    Large singular values are shrunk less than small ones, at the price of convexity. The prox, max(σᵢ - step wᵢ, 0),
    is global (Chen, Dong and Chan 2013, Theorem 2.3; Gu et al. 2014). `weights` has one number for each of the
    min(rows, columns) singular values; ValueError otherwise.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> g, x = jr.WeightedNuclear(jnp.array([0.0, 1.0])), jnp.diag(jnp.array([3.0, 2.0]))
    >>> g.prox(x, 1.0).round().astype(int).tolist()
    [[3, 0], [0, 1]]
    """

    weights: ArrayLike
    convex = False
    homogeneous = True

    def check(self) -> None:
        """Raise ValueError unless 0 <= w₁ <= w₂ <= ..., all finite."""
        if traced(self.weights):
            return
        w = np.asarray(self.weights, float)
        if not (np.all(np.isfinite(w)) and np.all(w >= 0) and np.all(np.diff(w, axis=-1) >= 0)):
            raise ValueError(
                f"weights of WeightedNuclear are {show(self.weights)}, expected finite numbers >= 0 that do not "
                "decrease: the largest singular value comes first and is penalised least."
            )

    def leaf_terms(self, x: Array) -> Array:
        """The weighted sum for each matrix, its axes kept."""
        return jnp.sum(singular_values(x) * self._spread(x), axis=-1)[..., None, None]

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Soft thresholding of each singular value by its own weight."""
        return map_singular(_soft_each, x, per_matrix(step, x), self._spread(x))

    def _spread(self, x: Array) -> Array:
        w = jnp.asarray(self.weights, x.dtype)
        if w.shape != (count(x),):
            raise ValueError(
                f"weights of WeightedNuclear have shape {w.shape}, but matrices of shape {x.shape[-2:]} have "
                f"{count(x)} singular values: give one weight each."
            )
        return jnp.broadcast_to(w, (*x.shape[:-2], w.size))


def _soft(s: Array, shift: Array) -> Array:
    return jnp.where(s <= shift, 0.0, s - shift)


def _soft_each(s: Array, step: Array, weights: Array) -> Array:
    return _soft(s, jnp.where(weights == 0, 0.0, step * jnp.where(weights == 0, 1.0, weights)))
