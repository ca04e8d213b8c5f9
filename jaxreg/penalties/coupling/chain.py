"""Squared differences of neighbours on an axis: smoothness in time."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax.lax.linalg import tridiagonal_solve

from jaxreg._pytree import pytree, static
from jaxreg._typing import Array
from jaxreg.penalties._base import Leafwise
from jaxreg.penalties.coupling._rows import array_of, rows_along, step_rows


@pytree
class Chain(Leafwise):
    """Half the squared differences of neighbours along an axis, ½ Σₜ ‖xₜ₊₁ - xₜ‖² (Zhou et al. 2011).

    The prox solves one tridiagonal system for the differences, in a number of operations linear in the length of the
    axis; an infinite strength gives all positions their mean.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.Chain().prox(jnp.array([0.0, 3.0]), 1.0).tolist()
    [1.0, 2.0]
    """

    axis: int = static(default=0)
    smooth = True

    def leaf_terms(self, x: Array) -> Array:
        """½ of the squared differences summed over the axis, which is kept."""
        return 0.5 * jnp.sum(jnp.square(jnp.diff(x, axis=self.axis)), axis=self.axis, keepdims=True)

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """x - Dᵀu where (I + step D Dᵀ) u = step D x, D taking differences: regular for every step in [0, inf]."""
        rows = rows_along(x, self.axis)
        if rows.shape[0] < 2 or not rows.size:
            return x
        t = step_rows(step, rows, self.axis)
        push = jnp.where(jnp.isinf(t), 1.0, jnp.where(jnp.isinf(t), 1.0, t) / (1 + t))
        flow = _solve(1 / (1 + t), push, push * jnp.diff(rows, axis=0))
        return array_of(rows + jnp.diff(jnp.pad(flow, ((1, 1), (0, 0))), axis=0), x, self.axis)


def _solve(own: Array, push: Array, right: Array) -> Array:
    """Columns u of (own I + push D Dᵀ) u = right, D Dᵀ having 2 on its diagonal and -1 beside it."""
    size = right.shape[0]
    place = jnp.arange(size)[:, None]
    diagonal = jnp.broadcast_to(own + 2 * push, (size, own.shape[1]))
    below = jnp.where(place > 0, -push, 0.0)
    above = jnp.where(place < size - 1, -push, 0.0)
    if own.shape[1] == 1:
        return tridiagonal_solve(below[:, 0], diagonal[:, 0], above[:, 0], right)
    return tridiagonal_solve(below.T, diagonal.T, above.T, right.T[..., None])[..., 0].T
