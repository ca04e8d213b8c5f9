"""Least squares with several outputs and a penalty on the norms of rows, along strengths: Newton in a number per row.

As k‖w‖ = min over e >= 0 of ½(‖w‖²/e + k²e), coefficients leave the problem. With M = A diag(d) Aᵀ + sI, where
d = e/(1 + ce), and θ = M⁻¹Y they are W = dV, V = Aᵀθ, and F(e) = ½s(<Y, θ> + Σ k²e) is convex and smooth in one number
per feature (Micchelli and Pontil 2005; Bach et al. 2012, section 5). With u = V/(1 + ce) its slopes are ½s(k² - ‖u‖²)
and its curvature is s(AᵀM⁻¹A ∘ UUᵀ) where c = 0. Newton's method runs on 1/‖u‖ = 1/k instead, for one feature a linear
equation as in trust regions (Moré and Sorensen 1983), with e >= 0 kept inside of every step; where F would rise, the
step is damped.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxreg._linalg import matmul
from jaxreg._pytree import pytree
from jaxreg._typing import Array
from jaxreg.penalties import Leafwise
from jaxreg.solvers._certificate import Reference, squared_gap
from jaxreg.solvers._entering import weighed
from jaxreg.solvers.active_set import Fits

_MOST, _AGAIN = 80, 6
_DAMPED, _EASED = 1e-3, 0.1
_NARROWEST, _WIDTHS = 16, 4
_TURNS, _NEAR = 40, 1e-2


@pytree
class Roots:
    """½‖AW - Y‖² + ½ left: least squares in q features and T outputs, A of shape (m, q), Y of shape (m, T)."""

    A: Array
    Y: Array
    left: Array


@pytree
class Norms:
    """Σ weight ‖w‖ + ½ ridge ‖w‖² over rows, one number of each per feature."""

    weight: Array
    ridge: Array


_Trail = tuple[Array, Array, Array, Array]
"""The last e and the one before, and their strengths."""


class _Point(NamedTuple):
    """Squares of norms e, the objective F, and what it was found by: M's factor, θ, V, and u with its norms."""

    e: Array
    F: Array
    factor: Array
    theta: Array
    V: Array
    u: Array
    norm: Array


class _Walk(NamedTuple):
    """The last point, how much the next move is damped, steps, and its gap."""

    at: _Point
    damp: Array
    steps: Array
    gap: Array


def compressed(A: Array, Y: Array) -> Roots:
    """The same problem in at most as many rows as features."""
    if A.shape[0] <= A.shape[1]:
        return Roots(A, Y, jnp.zeros((), A.dtype))
    return from_gram(matmul(A.T, A), matmul(Y.T, A).T, jnp.sum(jnp.square(Y)))


def from_gram(matrix: Array, cross: Array, square: Array) -> Roots:
    """A and Y with AᵀA and AᵀY as given, directions below rounding dropped once all features have the same size."""
    size = jnp.sqrt(jnp.maximum(jnp.diagonal(matrix), 0.0))
    unit = jnp.where(size > 0, 1 / jnp.where(size > 0, size, 1.0), 0.0)
    values, vectors = jnp.linalg.eigh(matrix * unit[:, None] * unit[None])
    kept = values > jnp.finfo(matrix.dtype).eps * len(values) * values[-1]
    root = jnp.where(kept, jnp.sqrt(jnp.where(kept, values, 1.0)), 0.0)[:, None]
    turned = jnp.where(root > 0, matmul(vectors.T, cross * unit[:, None]) / jnp.where(root > 0, root, 1.0), 0.0)
    return Roots(root * vectors.T * size[None], turned, jnp.maximum(square - jnp.sum(jnp.square(turned)), 0.0))


def follow_rows(
    roots: Roots,
    part: Leafwise,
    norms: Norms,
    ref: Reference,
    strengths: Array,
    start: Array,
    start_at: Array,
    known: Array,
    tol: Array,
) -> Fits:
    """Minimise roots + s * part for every s of `strengths` (B,), descending, from `start` (q, T) near `start_at`.

    `norms` says what `part` is. Each start has the norms of rows `known` (B, q), or where they are NaN is extrapolated
    from the two fits before; entries that cannot be solved keep a gap above `tol`. Steps are in features of unit size.
    """
    size = jnp.sqrt(jnp.sum(jnp.square(roots.A), 0))
    unit = jnp.where(size > 0, 1 / jnp.where(size > 0, size, 1.0), 1.0)
    roots = Roots(roots.A * unit[None], roots.Y, roots.left)
    norms = Norms(norms.weight * unit, norms.ridge * jnp.square(unit))
    first = jnp.sqrt(jnp.sum(jnp.square(start), 1)) / (unit * norms.weight)

    def one(carry: _Trail, given: tuple[Array, Array]) -> tuple[_Trail, tuple[Array, ...]]:
        (e, before, at, before_at), (s, size) = carry, given
        turn = jnp.where(before_at > at, (at - s) / jnp.where(before_at > at, before_at - at, 1.0), 0.0)
        ahead = jnp.where(e > 0, jnp.maximum(e + turn * (e - before), 0.0), 0.0)
        begin = jnp.where(jnp.isnan(size), ahead, size / (unit * norms.weight))
        end = _walk(roots, part, norms, unit, ref, s, begin, tol)
        W = unit[:, None] * _coef(end.at)
        value = 0.5 * _errors(roots, end.at)[1] + weighed(s, part).leaf_value(W)
        moved = s < at
        keep = end.at.e, jnp.where(moved, e, before), s, jnp.where(moved, at, before_at)
        return keep, (W, value, end.gap, end.steps)

    coef, value, gap, steps = jax.lax.scan(one, (first, first, start_at, start_at), (strengths, known))[1]
    return Fits(coef, value, gap, steps, coef[-1], strengths[-1])


def _coef(point: _Point) -> Array:
    return point.e[:, None] * point.u


def _errors(roots: Roots, point: _Point) -> tuple[Array, Array]:
    """AW - Y and the whole sum of squares, of the coefficients: -sθ equals AW - Y no better than M can be solved."""
    errors = matmul(roots.A, _coef(point)) - roots.Y
    return errors, jnp.sum(jnp.square(errors)) + roots.left


def _walk(
    roots: Roots, part: Leafwise, norms: Norms, unit: Array, ref: Reference, s: Array, e: Array, tol: Array
) -> _Walk:
    """Points at which F never rises, until the gap is at most `tol`."""
    slack = 64 * jnp.finfo(e.dtype).eps * ref.objective

    def certified(point: _Point) -> Array:
        errors, square = _errors(roots, point)
        W, grad = unit[:, None] * _coef(point), matmul(errors.T, roots.A).T / unit[:, None]
        gap = squared_gap(weighed(s, part), W, grad, square, ref)
        return jnp.where(jnp.isfinite(gap) & jnp.all(jnp.isfinite(point.V)), gap, jnp.inf)

    def going(walk: _Walk) -> Array:
        return (walk.gap > tol) & (walk.steps < _MOST)

    def body(walk: _Walk) -> _Walk:
        move = _move(roots, norms, walk.at, walk.damp)
        new = _point(roots, norms, s, jnp.maximum(walk.at.e + move, 0.0))
        lower = walk.at.F + slack >= new.F
        gap = jnp.where(lower, certified(new), walk.gap)
        damp = jnp.where(lower, _EASED * walk.damp, jnp.maximum(walk.damp / _EASED, _DAMPED))
        return _Walk(jax.tree.map(partial(jnp.where, lower), new, walk.at), damp, walk.steps + 1, gap)

    begin = _point(roots, norms, s, e)
    return jax.lax.while_loop(going, body, _Walk(begin, 0 * s, jnp.ones((), jnp.int32), certified(begin)))


def _point(roots: Roots, norms: Norms, s: Array, e: Array) -> _Point:
    bent = 1 / (1 + norms.ridge * e)
    turned = matmul(roots.A * (e * bent)[None], roots.A.T)
    factor = jnp.linalg.cholesky(turned + s * jnp.eye(len(turned), dtype=e.dtype))
    theta = jax.scipy.linalg.cho_solve((factor, True), roots.Y)
    rest = roots.Y - matmul(roots.A, (e * bent)[:, None] * matmul(theta.T, roots.A).T) - s * theta
    theta = theta + jax.scipy.linalg.cho_solve((factor, True), rest)  # in float32 half of the digits, for weak s
    V = matmul(theta.T, roots.A).T
    u = bent[:, None] * V
    cost = jnp.where(e > 0, jnp.square(norms.weight) * e, 0.0)
    F = 0.5 * s * (jnp.sum(theta * roots.Y) + jnp.sum(cost))
    return _Point(e, F, factor, theta, V, u, jnp.sqrt(jnp.sum(jnp.square(u), 1)))


def _move(roots: Roots, norms: Norms, point: _Point, damp: Array) -> Array:
    """Newton's move in e, of features in use or about to be, gathered into the next width."""
    q = roots.A.shape[1]
    widths = tuple(w for w in (-(-q >> k) for k in range(_WIDTHS)) if w >= _NARROWEST or w == q)[::-1]
    free = (point.e > 0) | (point.norm > norms.weight)
    index = jnp.sum(jnp.sum(free) > jnp.asarray(widths[:-1], int))
    return jax.lax.switch(index, [partial(_gathered, roots, norms, width) for width in widths], point, free, damp)


def _gathered(roots: Roots, norms: Norms, width: int, point: _Point, free: Array, damp: Array) -> Array:
    q = len(free)
    where = jnp.nonzero(free, size=width, fill_value=q)[0]
    real = where < q
    at = jnp.where(real, where, 0)
    e, u, n, k = point.e[at], point.u[at], point.norm[at], norms.weight[at]
    bent = 1 / (1 + norms.ridge[at] * e)
    columns = jnp.where(real, bent, 0.0)[None] * jnp.take(roots.A, at, axis=1)
    K = jax.lax.linalg.triangular_solve(point.factor, columns, left_side=True, lower=True)
    own = norms.ridge[at] * bent * jnp.square(n)
    size = jnp.sum(jnp.square(K), 0) * jnp.square(n) + own
    own = own + damp * size + jnp.finfo(e.dtype).eps * width * jnp.max(jnp.where(real, size, 0.0))
    right = jnp.where(real, jnp.square(n) * (n / k - 1), 0.0)
    x = _bounded(_curved(K, u, own), right, -e, real)
    return jnp.zeros_like(point.e).at[where].set(x, mode="drop")


def _bounded(solve: Callable[[Array, Array, Array, Array], Array], right: Array, least: Array, real: Array) -> Array:
    """Solve for x >= least: what falls below stays there and the rest is solved again, a few times."""

    def going(c: tuple[Array, Array, Array, Array]) -> Array:
        return c[2] & (c[3] < _AGAIN)

    def body(c: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        before, inside, _, tries = c
        x = solve(right, inside, jnp.where(inside | ~real, 0.0, least), before)
        below = inside & (x < least)
        return jnp.where(real, jnp.maximum(x, least), 0.0), inside & ~below, jnp.any(below), tries + 1

    start = (jnp.zeros_like(right), real, jnp.array(True), jnp.zeros((), jnp.int32))
    return jax.lax.while_loop(going, body, start)[0]


def _curved(K: Array, u: Array, own: Array) -> Callable[[Array, Array, Array, Array], Array]:
    """x with (KᵀK ∘ UUᵀ + diag(own)) x = right inside and x = fixed elsewhere.

    By a factor, or by conjugate gradients from `before` where that is less work.
    """
    (m, width), outputs = K.shape, u.shape[1]
    size = jnp.sum(jnp.square(K), 0) * jnp.sum(jnp.square(u), 1) + own
    if width * (width / 3 + m) < 2 * _TURNS * outputs * m:
        H = matmul(K.T, K) * matmul(u, u.T) + jnp.diag(own)

        def direct(right: Array, inside: Array, fixed: Array, before: Array) -> Array:
            rest = jnp.where(inside, right - matmul(H, fixed), fixed)
            both = inside[:, None] & inside[None]
            factor = jax.scipy.linalg.cho_factor(jnp.where(both, H, jnp.eye(width, dtype=H.dtype)), lower=True)
            return jax.scipy.linalg.cho_solve(factor, rest[:, None])[:, 0]

        return direct

    def apply(x: Array) -> Array:
        turned = matmul(matmul((u * x[:, None]).T, K.T), K)
        return jnp.sum(u * turned.T, 1) + own * x

    def iterated(right: Array, inside: Array, fixed: Array, before: Array) -> Array:
        rest = jnp.where(inside, right - apply(fixed), 0.0)

        def inner(x: Array) -> Array:
            return jnp.where(inside, apply(x), x)

        begin = jnp.where(inside, before, 0.0)
        x = jax.scipy.sparse.linalg.cg(inner, rest, x0=begin, M=lambda r: r / size, tol=_NEAR, maxiter=_TURNS)[0]
        return jnp.where(inside, x, fixed)

    return iterated
