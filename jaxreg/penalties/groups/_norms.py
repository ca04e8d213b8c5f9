"""Euclidean norms of groups and their proxes, for every way to group."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxreg._typing import Array
from jaxreg.penalties.groups._grouping import Grouping

_ROOT_STEPS = 60


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
    """Minimise ‖z‖ + Σ (z - x)²/(2 step): z = x r/(r + step) where r = ‖z‖ makes ‖x/(r + step)‖ = 1."""
    free = step == 0
    zero = norm(jnp.where(free & (x != 0), jnp.inf, x / jnp.where(free, 1.0, step)), by) <= 1
    finite = jnp.where(jnp.isfinite(step), step, 0.0)
    moving = jnp.where(jnp.isfinite(step), x, 0.0)
    gone = by.spread(zero, x.shape)
    norms = by.spread(_length(by, jnp.where(gone, 0.0, moving), finite), x.shape)
    keep = norms / jnp.where(gone, 1.0, norms + finite)
    return jnp.where(gone | ~jnp.isfinite(step), 0.0 * x, x * keep)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _length(by: Grouping, x: Array, step: Array) -> Array:
    """The r of every group, one number each: 0 where x is.

    1/‖x/(r + step)‖ is increasing and concave in r, so that Newton's steps from the left rise to the root. There no
    entry of x/(r + step) is above 1: nothing overflows.
    """
    beside, whole = by.max(jnp.maximum(jnp.abs(x) - step, 0.0)), norm(x, by)

    def going(carry: tuple[Array, Array, Array]) -> Array:
        return carry[1] & (carry[2] < _ROOT_STEPS)

    def rise(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        r, _, count = carry
        square, slope = (by.sum(a) for a in _ratios(x, step, by.spread(r, x.shape))[1:])
        gain = (square - 1) / (1 + jnp.sqrt(square)) * square / jnp.where(slope > 0, slope, 1.0)
        new = jnp.where(slope > 0, jnp.maximum(r + gain, r), r)
        return new, jnp.any(new - r > 2 * jnp.finfo(x.dtype).eps * new), count + 1

    start = jnp.maximum(beside, jnp.where(jnp.isfinite(whole), whole - by.max(step), whole))
    return jax.lax.while_loop(going, rise, (start, jnp.ones((), bool), jnp.zeros((), jnp.int32)))[0]


@_length.defjvp
def _length_jvp(by: Grouping, primals: Any, tangents: Any) -> tuple[Array, Array]:
    """dr from Σ (x/(r + step))² = 1."""
    (x, step), (dx, dstep) = primals, tangents
    r = _length(by, x, step)
    ratio, _, bend = _ratios(x, step, by.spread(r, x.shape))
    total = by.sum(bend)
    pull = jnp.where(x == 0, 0.0, bend / jnp.where(x == 0, 1.0, ratio))
    moved = by.sum(pull * dx - bend * dstep)
    return r, jnp.where(total > 0, moved / jnp.where(total > 0, total, 1.0), moved * 0)


def _ratios(x: Array, step: Array, r: Array) -> tuple[Array, Array, Array]:
    """x/(r + step), its squares, and these over r + step; 0 where x is."""
    reach = jnp.where(x == 0, 1.0, r + step)
    ratio = x / reach
    return ratio, jnp.square(ratio), jnp.square(ratio) / reach
