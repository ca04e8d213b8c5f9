"""Groups of entries along an axis: their number, Euclidean length, steps and radius."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg._pytree import show
from jaxreg._typing import Array

Axis = int | tuple[int, ...] | None


def size(x: Array, axis: Axis) -> int:
    """The number of entries in a group."""
    axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    return int(np.prod([x.shape[i] for i in axes], dtype=int))


def total(x: Array, axis: Axis) -> Array:
    """Sums of groups, the axes kept."""
    return jnp.sum(x, axis=axis, keepdims=True)


def length(x: Array, axis: Axis) -> Array:
    """Euclidean lengths of groups, scaled against overflow, with derivative 0 at 0."""
    top = jax.lax.stop_gradient(jnp.max(jnp.abs(x), axis=axis, keepdims=True, initial=0))
    usable = (top > 0) & jnp.isfinite(top)
    scale = jnp.where(usable, top, 1.0)
    square = total(jnp.square(x / scale), axis)
    return jnp.where(usable, scale * jnp.sqrt(jnp.where(usable, square, 1.0)), jnp.abs(top))


def ratios(step: Any, x: Array, axis: Axis) -> Array:
    """Steps relative to the largest of their group: a common factor does not change a projection.

    They are kept above the square of rounding, below which an entry is as good as fixed.
    """
    step = jnp.asarray(step, x.dtype)
    if step.ndim == 0:
        return jnp.ones_like(x)
    full = jnp.broadcast_to(step, x.shape)
    infinite = jnp.isinf(full)
    top = jax.lax.stop_gradient(jnp.max(full, axis=axis, keepdims=True, initial=0))
    ratio = jnp.where(infinite, 1.0, jnp.where(infinite, 1.0, full) / jnp.where(top > 0, top, 1.0))
    return jnp.maximum(jnp.where(top == 0, 1.0, ratio), jnp.finfo(x.dtype).eps ** 2)


def per_group(number: Any, like: Array) -> Array:
    """A number, or an array that broadcasts over groups, as one number per group."""
    return jnp.broadcast_to(jnp.asarray(number, like.dtype), like.shape)


def check_radius(owner: str, radius: Any) -> None:
    """Raise ValueError for a radius below 0 or NaN; tracers pass."""
    if not isinstance(radius, jax.core.Tracer) and not np.all(np.asarray(radius, float) >= 0):
        raise ValueError(f"{owner}: radius is {show(radius)}, expected numbers >= 0.")
