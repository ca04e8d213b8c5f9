"""The one small quadratic program behind the weightings: pivoting, and interior points where that does not end."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxreg._linalg import matmul
from jaxreg._typing import Array
from jaxreg.weightings._pivot import pivoted

MOST = 60
"""Steps at most; about 10 are taken in float32 and 20 in float64."""


class _Point(NamedTuple):
    z: Array
    slack: Array
    multiplier: Array
    worst: Array
    taken: Array
    going: Array


def nonnegative(C: Array, q: Array) -> Array:
    """argmin_{z >= 0} ½ z'Cz + q'z for a positive semidefinite C (T, T) with unit diagonal."""
    size = jnp.max(jnp.abs(q))
    size = jnp.where(size > 0, size, 1.0)
    z, found = pivoted(C, q / size)
    return size * jnp.where(found, z, _solve(C, q / size, jnp.zeros_like(q), jnp.zeros((), q.dtype), ~found))


def simplex(C: Array, a: Array, q: Array) -> Array:
    """argmin ½ z'Cz + q'z over z >= 0 with a'z = 1, for C with unit diagonal and a >= 0; 0 where a is."""
    top = jnp.max(a)
    top = jnp.where(top > 0, top, 1.0)
    z = _solve(C, q * top, a / top, (top > 0).astype(q.dtype), jnp.bool_(True)) / top
    total = matmul(a, z)
    return z / jnp.where(total > 0, total, 1.0)


def _solve(C: Array, q: Array, a: Array, b: Array, needed: Array) -> Array:
    """Mehrotra's predictor-corrector method (Nocedal and Wright 2006, algorithm 16.4); a = 0 is no equality."""
    scale = jnp.maximum(1.0, jnp.max(jnp.abs(q)))
    C, q = C / scale, q / scale
    one = jnp.ones_like(q)
    first = _Point(one, one, jnp.zeros((), q.dtype), jnp.asarray(jnp.inf, q.dtype), jnp.int32(0), needed)

    def step(p: _Point) -> _Point:
        return _step(C, q, a, b, p)

    z = jax.lax.while_loop(lambda p: p.going & (p.taken < MOST), step, first).z
    return z + 0 * (jnp.sum(C) + jnp.sum(q) + jnp.sum(a))


def _step(C: Array, q: Array, a: Array, b: Array, p: _Point) -> _Point:
    """One step, taken while the largest violation of the optimality conditions falls."""
    eps, z, y = jnp.finfo(q.dtype).eps, p.z, p.slack
    dual = matmul(C, z) + q - y - p.multiplier * a
    primal = matmul(a, z) - b
    root = jnp.sqrt(jnp.minimum(z / y, 1 / (4 * eps)))
    factor = jnp.linalg.cholesky(jnp.eye(len(q), dtype=q.dtype) + root[:, None] * C * root[None, :])

    def inner(r: Array) -> Array:
        return root * jax.scipy.linalg.cho_solve((factor, True), root * r)

    along = inner(a)
    bend = matmul(a, along)

    def move(centre: Array) -> tuple[Array, Array, Array]:
        free = inner(centre / z - dual)
        m = jnp.where(bend > 0, -(primal + matmul(a, free)) / jnp.where(bend > 0, bend, 1.0), 0.0)
        dz = free + m * along
        return dz, (centre - y * dz) / z, m

    mu = jnp.mean(z * y)
    dz, dy, _ = move(-z * y)
    far = _reach(z, dz, y, dy)
    after = jnp.mean((z + far * dz) * (y + far * dy))
    dz, dy, m = move(mu * (after / mu) ** 3 - z * y - dz * dy)
    t = 0.995 * _reach(z, dz, y, dy)
    z, y, nu = z + t * dz, y + t * dy, p.multiplier + t * m
    left = jnp.maximum(jnp.max(jnp.abs(matmul(C, z) + q - y - nu * a)), jnp.abs(matmul(a, z) - b))
    worst = jnp.maximum(left, jnp.mean(z * y))
    better = (jnp.min(z) > 0) & (jnp.min(y) > 0) & ((worst < p.worst) | (p.taken < 8)) & jnp.isfinite(worst)
    going = better & (worst > 0.1 * eps)
    new = _Point(z, y, nu, worst, p.taken + 1, going)
    return jax.tree.map(lambda new, old: jnp.where(better, new, old), new, p._replace(going=going))


def _reach(z: Array, dz: Array, y: Array, dy: Array) -> Array:
    """The longest step <= 1 that keeps both positive."""

    def longest(x: Array, d: Array) -> Array:
        return jnp.min(jnp.where(d < 0, -x / jnp.where(d < 0, d, -1.0), 1.0))

    return jnp.minimum(1.0, jnp.minimum(longest(z, dz), longest(y, dy)))
