"""Arrays with few entries that are not zero."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxreg._pytree import pytree, static
from jaxreg._typing import Array
from jaxreg.penalties._base import Leafwise
from jaxreg.penalties.sets._groups import total
from jaxreg.penalties.sets._rounding import judged, nothing
from jaxreg.penalties.sets._rows import from_rows, to_rows


@pytree
class L0Ball(Leafwise):
    """At most `size` entries other than zero in every group along an axis (`None`: the whole array); not convex.

    The projection keeps the entries of largest magnitude, the first of equal ones (Blumensath and Davies 2009); in a
    diagonal metric those of largest x²/step. Raises ValueError for a size that is not a whole number >= 0.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.L0Ball(2).prox(jnp.array([1.0, -3.0, 2.0])).tolist()
    [0.0, -3.0, 2.0]
    """

    size: int = static()
    axis: int | None = static(default=None)
    convex = False
    homogeneous = indicator = metric = even = True

    def __post_init__(self) -> None:
        if isinstance(self.size, bool) or not isinstance(self.size, int) or self.size < 0:
            raise ValueError(f"L0Ball: size is {self.size!r}, expected a whole number >= 0.")

    def leaf_terms(self, x: Array) -> Array:
        """0 for groups with few enough entries, else infinity."""
        return judged(total(x != 0, self.axis) <= self.size, x, self.axis)

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """The largest entries of every group."""
        step = jnp.asarray(step, x.dtype)
        weight = jnp.broadcast_to(jnp.sqrt(step) if step.ndim else jnp.ones((), x.dtype), x.shape)
        fixed = jnp.where(x == 0, 0.0, jnp.inf)
        score = jnp.where(weight > 0, jnp.abs(x) / jnp.where(weight > 0, weight, 1.0), fixed)
        rows = to_rows(jax.lax.stop_gradient(score), self.axis)
        if not x.size or self.size >= rows.shape[-1]:
            return x
        largest = jax.lax.top_k(rows, self.size)[1]
        kept = jnp.put_along_axis(jnp.zeros(rows.shape, bool), largest, True, axis=-1, inplace=False)
        return jnp.where(from_rows(kept, x.shape, self.axis), x, nothing(x))
