"""The mean of the gradients without the extremes of every entry."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import jax.numpy as jnp

from jaxreg._linalg import widen
from jaxreg._pytree import pytree, static
from jaxreg._typing import Array, ArrayLike
from jaxreg.weightings._base import Rowwise


@pytree
class TrimmedMean(Rowwise):
    """At every entry the mean of the gradients without the `trim` largest and smallest (Yin et al. 2018, definition 2).

    Tasks whose rows are zero everywhere are absent and not counted; where no more than 2 trim are there, the median is
    taken. Raises ValueError for 2 trim tasks or fewer.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.weightings.TrimmedMean(trim=1).combine([jnp.array([[1.0], [2.0], [4.0], [99.0]])], ())[0][0].tolist()
    [3.0]
    """

    trim: int = static(default=1)

    def __post_init__(self) -> None:
        """Raise ValueError unless trim >= 0."""
        if self.trim < 0:
            raise ValueError(f"{self!r}: expected trim >= 0.")

    def combine(
        self, rows: Sequence[Array], state: Any, losses: ArrayLike | None = None, key: Array | None = None
    ) -> tuple[list[Array], Any]:
        """The trimmed means."""
        tasks = len(rows[0])
        if tasks <= 2 * self.trim:
            raise ValueError(f"{self!r} takes {2 * self.trim + 1} tasks at least, got {tasks}.")
        flat = [widen(x).reshape(tasks, -1) for x in rows]
        present = reduce(jnp.logical_or, [jnp.any(x != 0, 1) for x in flat])
        return [
            self._mean(x, present).reshape(r.shape[1:]).astype(r.dtype) for x, r in zip(flat, rows, strict=True)
        ], state

    def _mean(self, x: Array, present: Array) -> Array:
        count = jnp.sum(present)
        trim = jnp.minimum(self.trim, jnp.maximum(count - 1, 0) // 2)
        place = jnp.arange(len(x))[:, None]
        kept = (place >= trim) & (place < count - trim)
        ordered = jnp.sort(jnp.where(present[:, None], x, jnp.inf), axis=0)
        total = jnp.sum(jnp.where(kept, ordered, 0.0), 0)
        return total / jnp.maximum(count - 2 * trim, 1) + 0 * jnp.sum(x, 0)
