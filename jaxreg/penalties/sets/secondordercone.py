"""The second-order cone: the first entry is at least the length of the others."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from jaxreg._pytree import pytree, static
from jaxreg._typing import Array
from jaxreg.penalties._base import Leafwise
from jaxreg.penalties._leaf import wide
from jaxreg.penalties.sets._groups import length, size
from jaxreg.penalties.sets._rounding import judged, least, nothing, slack
from jaxreg.penalties.sets._rows import from_rows, per_row, to_rows


@pytree
class SecondOrderCone(Leafwise):
    """The set ‖(x₁, x₂, …)‖ <= x₀ of every group along an axis: the bound first, then the vector.

    With t = x₀ and s the length of the rest, the projection is x where s <= t, 0 where s <= -t, and else ½(t + s) times
    (1, the direction of the rest) (Bauschke 1996, Theorem 3.3.6). The length may exceed the bound by (17 + √n)
    roundings. There is no exact prox in a diagonal metric.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.SecondOrderCone().prox(jnp.array([0.0, 3.0, 4.0])).tolist()
    [2.5, 1.5, 2.0]
    """

    axis: int = static(default=-1)
    homogeneous = indicator = True

    def leaf_terms(self, x: Array) -> Array:
        """0 for groups in the cone, else infinity."""
        inside = jnp.all(_inside(to_rows(x, self.axis)), axis=-1)
        return judged(per_row(inside, x.ndim, self.axis), x, self.axis)

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Projection of every group."""
        if not x.size:
            return x
        rows = to_rows(x, self.axis)
        bound, rest = rows[..., :1], rows[..., 1:]
        norm = length(rest, -1)
        half = 0.5 * (bound + norm)
        moved = jnp.concatenate([half, half * (rest / jnp.where(norm == 0, 1.0, norm))], -1)
        moved = jnp.where(norm <= -bound, nothing(rows), moved)
        return from_rows(jnp.where(_inside(rows), rows, moved), x.shape, self.axis)


def _inside(rows: Array) -> Array:
    bound, norm, count = wide(rows[..., :1]), length(wide(rows[..., 1:]), -1), size(rows, -1)
    return norm <= bound * (1 + slack(rows, count)) + least(rows, count)
