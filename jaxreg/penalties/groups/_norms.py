"""Euclidean norms of groups and their proxes, for every way to group."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxreg._typing import Array
from jaxreg.penalties.groups._grouping import Grouping

_ROOT_STEPS = 40


def norm(x: Array, by: Grouping) -> Array:
    """Euclidean norm of every group, with derivative 0 at 0; in float32 scaled against overflow of the squares."""
    if x.dtype == jnp.float64:
        square = by.sum(jnp.square(x))
        return jnp.where(square == 0, 0.0, jnp.sqrt(jnp.where(square == 0, 1.0, square)))
    top = by.max(jnp.abs(jax.lax.stop_gradient(x)))
    usable = (top > 0) & jnp.isfinite(top)
    scale = jnp.where(usable, top, 1.0)
    square = by.sum(jnp.square(x / by.spread(scale, x.shape)))
    return jnp.where(usable, scale * jnp.sqrt(jnp.where(usable, square, 1.0)), jnp.abs(top))


def shrinkage(size: Array, step: Array) -> Array:
    """max(1 - step/size, 0), with 0 for the zero group."""
    kept = size > step
    return jnp.where(kept, 1.0 - jnp.where(kept, step, 0.0) / jnp.where(kept, size, 1.0), size * 0.0)


def block_prox(x: Array, step: Array, by: Grouping) -> Array:
    """Block soft thresholding x max(1 - step/‖x‖, 0), `step` being a number or one per group."""
    return x * by.spread(shrinkage(norm(x, by), step), x.shape)


def metric_prox(x: Array, step: Array, by: Grouping) -> Array:
    """Minimise ‖z‖ + Σ (z - x)²/(2 step): z = x r/(r + step) where r = ‖z‖ makes ‖x/(r + step)‖ = 1.

    1/‖x/(r + step)‖ is increasing and concave in r, so that Newton's steps from the left rise to the root.
    """
    free = step == 0
    tau = jnp.where(free, 1.0, step)
    zero = norm(jnp.where(free & (x != 0), jnp.inf, x / tau), by) <= 1
    finite = jnp.where(jnp.isfinite(step), step, 0.0)
    moving = jnp.where(jnp.isfinite(step), x, 0.0)
    start = jnp.maximum(norm(moving, by) - by.max(jax.lax.stop_gradient(finite)), 0.0)

    def newton(r: Array) -> Array:
        reach = by.spread(r, x.shape) + finite
        ratio = jnp.where(moving == 0, 0.0, moving / jnp.where(reach > 0, reach, 1.0))
        n = norm(ratio, by)
        slope = by.sum(jnp.square(ratio) / jnp.where(reach > 0, reach, 1.0))
        gain = (n - 1.0) * n * n / jnp.where(slope > 0, slope, 1.0)
        return jnp.where((slope > 0) & ~zero, jnp.maximum(r + gain, r), r)

    tiny = jnp.finfo(x.dtype).tiny
    root = jax.lax.fori_loop(0, _ROOT_STEPS, lambda _, r: newton(r), jax.lax.stop_gradient(start) + tiny)
    root = newton(jax.lax.stop_gradient(root))  # one differentiable step carries the implicit derivative
    norms, gone = by.spread(root, x.shape), by.spread(zero, x.shape)
    keep = norms / (norms + jnp.where(gone, 1.0, finite))
    return jnp.where(gone | ~jnp.isfinite(step), 0.0 * x, x * jnp.where(gone, 0.0, keep))
