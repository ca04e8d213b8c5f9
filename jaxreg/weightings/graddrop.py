"""Gradient sign dropout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxreg._linalg import widen
from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike
from jaxreg.weightings._base import Rowwise, keyed, vector, within


@pytree
class GradDrop(Rowwise):
    """At every entry only the positive or only the negative gradients pass, drawn by how pure their sign is.

    Positive ones with probability P = ½(1 + Σgᵢ/Σ|gᵢ|) (Chen et al. 2020, eq. 1 and algorithm 1), and `leak` (a number
    or (T,)) of what was held back. Raises ValueError without a key.

    >>> import jax, jax.numpy as jnp, jaxreg as jr
    >>> out, _ = jr.weightings.GradDrop().combine([jnp.array([[1.0, 2.0], [3.0, 0.0]])], (), key=jax.random.key(0))
    >>> out[0].tolist()
    [4.0, 2.0]
    """

    leak: ArrayLike = 0.0
    random = True

    def combine(
        self, rows: Sequence[Array], state: Any, losses: ArrayLike | None = None, key: Array | None = None
    ) -> tuple[list[Array], Any]:
        """The sum of what passes."""
        keys = jax.random.split(keyed(self, key), len(rows))
        return [self._passed(x, k) for x, k in zip(rows, keys, strict=True)], state

    def _passed(self, rows: Array, key: Array) -> Array:
        x = widen(rows).reshape(len(rows), -1)
        size = jnp.sum(jnp.abs(x), 0)
        purity = 0.5 * (1 + jnp.sum(x, 0) / jnp.where(size == 0, 1.0, size))
        up = jax.random.uniform(key, purity.shape, x.dtype) < purity
        leak = vector(self.leak, len(rows), x.dtype)[:, None]
        passed = jnp.sum(jnp.where((x > 0) == up[None, :], x, leak * x), 0)
        return passed.reshape(rows.shape[1:]).astype(rows.dtype)

    def check(self) -> None:
        """Raise ValueError unless leak >= 0."""
        within(self, "leak", 0.0)
