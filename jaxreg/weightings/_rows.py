"""Rows: task gradients as arrays with a leading task axis."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import jax.numpy as jnp

from jaxreg._linalg import einsum, matmul, widen
from jaxreg._typing import Array


def gramian_of(rows: Sequence[Array]) -> Array:
    """The (T, T) inner products of rows spread over several arrays with a leading task axis, in at least float32."""
    flat = [widen(x).reshape(len(x), -1) for x in rows]
    return reduce(jnp.add, [einsum("ip,jp->ij", x, x) for x in flat])


def weighted_sum(weights: Array, rows: Array) -> Array:
    """Σ wᵢ rowᵢ, in the rows' dtype; a row of weight 0 never counts."""
    flat = widen(rows).reshape(len(rows), -1)
    flat = jnp.where((weights != 0)[:, None], flat, 0.0)
    return matmul(weights.astype(flat.dtype), flat).reshape(rows.shape[1:]).astype(rows.dtype)
