"""Projections that several penalties share."""

from __future__ import annotations

import jax.numpy as jnp

from jaxreg._typing import Array


def l1_ball(x: Array, radius: Array) -> Array:
    """Projection of the last axis onto ‖z‖₁ <= radius (Duchi et al. 2008); radius broadcasts over the leading axes."""
    radius = jnp.asarray(radius, x.dtype)[..., None]
    size = x * jnp.sign(x)
    total = jnp.sum(size, axis=-1, keepdims=True)
    top = -jnp.sort(-size, axis=-1)
    place = jnp.broadcast_to(jnp.arange(1, x.shape[-1] + 1), x.shape)
    level = (jnp.cumsum(top, axis=-1) - radius) / place.astype(x.dtype)
    count = jnp.maximum(jnp.sum(top > level, axis=-1, keepdims=True), 1)
    shift = (jnp.sum(jnp.where(place <= count, top, 0.0), axis=-1, keepdims=True) - radius) / count.astype(x.dtype)
    shrunk = jnp.where(size <= shift, 0.0, jnp.sign(x) * (size - shift))
    return jnp.where(total <= radius, x, shrunk)
