"""Membership up to rounding: what a projection returns must count as a member, in the dtype that it is kept in."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg._typing import Array
from jaxreg.penalties._leaf import wide


def slack(x: Array, count: int) -> float:
    """What a sum of `count` terms of x may be off, relative to their magnitudes.

    Every term is rounded once in its own dtype, and the sum, taken in float32 or better, 16 + √count times.
    """
    return float(jnp.finfo(x.dtype).eps + (16 + count**0.5) * jnp.finfo(wide(x).dtype).eps)


def least(x: Array, count: int) -> float:
    """What it may be off absolutely, by underflow."""
    own, used = jnp.finfo(x.dtype), jnp.finfo(wide(x).dtype)
    return float(count * np.maximum(float(own.smallest_subnormal), float(used.tiny)))


def judged(inside: Array, x: Array, axis: int | tuple[int, ...] | None) -> Array:
    """0 for groups of x inside, infinity for others, NaN where an entry is; an empty array is a member."""
    dtype = wide(x).dtype
    if not x.size:
        return jnp.zeros(inside.shape, dtype)
    spoiled = jnp.any(jnp.isnan(x), axis=axis, keepdims=True)
    return jnp.where(spoiled, jnp.nan, jnp.where(inside, 0.0, jnp.inf)).astype(dtype)


def settle(x: Array, projected: Array, inside: Array) -> Array:
    """The projection, but members exactly as they are; its derivative holds for both."""
    moved = projected - jax.lax.stop_gradient(projected)
    return jnp.where(inside, jax.lax.stop_gradient(x) + moved, projected)


def nothing(x: Array) -> Array:
    """Zero, NaN where x is."""
    return jnp.where(jnp.isnan(x), jnp.nan, 0.0).astype(x.dtype)
