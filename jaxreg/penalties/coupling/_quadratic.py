"""What quadratic couplings of tasks share: a conjugate that is finite on a subspace."""

from __future__ import annotations

import jax.numpy as jnp

from jaxreg._typing import Array
from jaxreg.penalties._base import Leafwise


class Coupling(Leafwise):
    """½ tr(XᵀLX) along an axis, whose conjugate is ½ tr(UᵀL⁺U) on the range of L and infinite off it.

    A subclass states `leaf_inverse`, and `leaf_span` where L sees more or less than deviations from the mean.
    """

    axis: int
    dualisable = polar = smooth = True

    def leaf_inverse(self, u: Array) -> Array:
        """½ uᵀL⁺u of each column of a u in the range of L, the axis kept."""
        raise NotImplementedError

    def leaf_span(self, u: Array) -> Array:
        """u less its mean over tasks."""
        return u - jnp.mean(u, self.axis, keepdims=True)

    def leaf_dual_terms(self, u: Array) -> Array:
        """0: on its span the conjugate is finite everywhere."""
        return jnp.zeros_like(jnp.sum(u, self.axis, keepdims=True))

    def leaf_conjugate_terms(self, u: Array) -> Array:
        """½ uᵀL⁺u of each column, infinite where u is off the span by more than rounding."""
        spanned = self.leaf_span(u)
        off, size = (jnp.max(jnp.abs(x), self.axis, keepdims=True, initial=0) for x in (u - spanned, u))
        return jnp.where(off > 16 * jnp.finfo(u.dtype).eps * size, jnp.inf, self.leaf_inverse(spanned))
