"""Squared differences of neighbours on an axis: smoothness in time."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
from jax.scipy.fft import dct, idct

from jaxreg._pytree import pytree, static
from jaxreg._typing import Array
from jaxreg.penalties.coupling._quadratic import Coupling
from jaxreg.penalties.coupling._rows import array_of, rows_along, step_rows


@pytree
class Chain(Coupling):
    """Half the squared differences of neighbours along an axis, ½ Σₜ ‖xₜ₊₁ - xₜ‖² (Zhou et al. 2011).

    The discrete cosine transform diagonalises it (Strang 1999), so that the prox is exact for every step; an infinite
    strength gives all positions their mean.

    >>> import jax.numpy as jnp, numpy as np, jaxreg as jr
    >>> np.asarray(jr.Chain().prox(jnp.array([0.0, 3.0]), 1.0)).round(3).tolist()
    [1.0, 2.0]
    """

    axis: int = static(default=0)

    def leaf_terms(self, x: Array) -> Array:
        """½ of the squared differences summed over the axis, which is kept."""
        return 0.5 * jnp.sum(jnp.square(jnp.diff(x, axis=self.axis)), axis=self.axis, keepdims=True)

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """x less what of each cosine is removed, step λ/(1 + step λ) with λ = 4 sin²(πk/2T)."""
        rows = rows_along(x, self.axis)
        if not rows.size:
            return x
        size = rows.shape[0]
        bend = jnp.square(2 * jnp.sin(jnp.arange(1, size, dtype=rows.dtype) * (math.pi / (2 * size))))[:, None]
        kept = 1 / (1 + step_rows(step, rows, self.axis) * bend)
        wave = dct(rows, axis=0, norm="ortho")
        removed = jnp.concatenate([jnp.zeros_like(wave[:1]), (1 - kept) * wave[1:]])
        return array_of(rows - idct(removed, axis=0, norm="ortho"), x, self.axis)

    def leaf_inverse(self, u: Array) -> Array:
        """½ Σₜ ‖u₁ + … + uₜ‖²."""
        return 0.5 * jnp.sum(jnp.square(jnp.cumsum(u, self.axis)), self.axis, keepdims=True)
