"""Scalar equations behind proxes without a closed form, elementwise, with derivatives by the implicit function theorem.

Each is u - c + s(u) = 0 with s increasing, so that the root is unique and its derivative lies between 0 and 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxreg._typing import Array

Scalar = Callable[[Array], Array]
_STEPS = 200
_OMEGA_STEPS = 6


class _Bracket(NamedTuple):
    u: Array
    low: Array
    high: Array
    reach: Array
    moved: Array
    steps: Array


def shrunk(centre: Array, slope: Scalar) -> Array:
    """The root u of u - centre + slope(u) = 0 for an increasing `slope`: Newton's method, safeguarded by bisection.

    Since slope increases, min(c, 0) - slope(min(c, 0))₊ and max(c, 0) + (-slope(max(c, 0)))₊ enclose the root, and
    neither overflows where slope grows like an exponential.
    """
    below, above = jnp.minimum(centre, 0.0), jnp.maximum(centre, 0.0)
    low = below - jnp.maximum(slope(below), 0.0)
    high = above + jnp.maximum(-slope(above), 0.0)

    def excess(u: Array) -> Array:
        return u - centre + slope(u)

    return root(excess, low, high)


def root(excess: Scalar, low: Array, high: Array) -> Array:
    """The root of an increasing elementwise function in [low, high]; NaN where the function or an end is NaN."""

    def find(f: Scalar, start: Array) -> Array:
        return _bracketed(f, low, high)

    def divide(g: Scalar, y: Array) -> Array:
        return y / g(jnp.ones_like(y))

    return jax.lax.custom_root(excess, low, find, divide)


def _bracketed(f: Scalar, low: Array, high: Array) -> Array:
    """Newton steps from the middle; a step that leaves the bracket, or halves it too little, becomes a bisection."""
    low, high = jax.lax.stop_gradient((low, high))
    info = jnp.finfo(low.dtype)

    def going(c: _Bracket) -> Array:
        return jnp.any(c.moved > info.eps * jnp.abs(c.u) + info.tiny) & (c.steps < _STEPS)

    def step(c: _Bracket) -> _Bracket:
        u, low, high = c.u, c.low, c.high
        value, bend = jax.jvp(f, (u,), (jnp.ones_like(u),))
        low, high = jnp.where(value < 0, u, low), jnp.where(value > 0, u, high)
        newton = u - value / jnp.where(bend > 0, bend, 1.0)
        usable = (newton >= low) & (newton <= high) & (jnp.abs(newton - u) <= 0.5 * c.reach)
        new = jnp.where(value == 0, u, jnp.where(usable, newton, low + 0.5 * (high - low)))
        new = jnp.where(jnp.isnan(value) | jnp.isnan(u), jnp.nan, new)
        moved = jnp.abs(new - u)
        return _Bracket(new, low, high, jnp.where(usable, moved, high - low), moved, c.steps + 1)

    middle = low + 0.5 * (high - low)
    start = _Bracket(middle, low, high, high - low, jnp.full_like(middle, jnp.inf), jnp.zeros((), jnp.int32))
    return jax.lax.while_loop(going, step, start).u


@jax.custom_jvp
def exp_root(centre: Array, scale: Array) -> Array:
    """The root u of u + scale eᵘ = centre for scale >= 0: Wright's omega function, as c - ω(c + log scale).

    With v = u + log scale, v + eᵛ is convex, so that Newton's method from the right never turns back.
    """
    some = scale > 0
    shift = jnp.log(jnp.where(some, scale, 1.0))
    x = centre + shift
    v = jnp.where(x > 1, jnp.log(jnp.where(x > 1, x, 1.0)), x)
    for _ in range(_OMEGA_STEPS):
        grown = jnp.exp(v)
        v = v - (v + grown - x) / (1 + grown)
    return jnp.where(some, jnp.where(v < 0, centre - jnp.exp(v), v - shift), centre)


@exp_root.defjvp
def _exp_root_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    (centre, scale), (dcentre, dscale) = primals, tangents
    u = exp_root(centre, scale)
    grown = jnp.exp(jnp.minimum(u, 0.9 * math.log(float(jnp.finfo(u.dtype).max))))
    return u, (dcentre - grown * dscale) / (1 + scale * grown)
