"""Active-set Newton along strengths, on a Gram matrix: least squares with an elementwise penalty.

With u = z - τ(Gz - c) and D the derivative of prox_τg at u, the semismooth Newton step for z = prox_τg(u) solves
(G_AA + (1 - D)/(Dτ)) z_A = c_A + (prox_τg(u) - Du)/(Dτ) on A = {D > 0}, zero elsewhere (Hintermüller, Ito and Kunisch
2002). For the lasso and an A that stays, its first step is the exact path of Efron et al. (2004). Where it cycles, the
strength is approached from the last one solved in smaller steps: as they shrink, A changes by one entry at a time.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxreg._linalg import matmul, solve_positive
from jaxreg._pytree import pytree
from jaxreg._typing import Array
from jaxreg.penalties import Leafwise
from jaxreg.solvers._certificate import Reference, squared_gap
from jaxreg.solvers._entering import quiet, weighed

_FREE = 6
_MOST = 400
_SHRINK, _GROW = 0.25, 2.0
_NARROWEST, _HALVINGS, _EIGHTHS = 16, 4, 1024


@pytree
class Gram:
    """½wᵀGw - cᵀw + ½ square: least squares in q features, known by their second moments per unit weight."""

    matrix: Array
    cross: Array
    square: Array


class Fits(NamedTuple):
    """Coefficients (B, q), objectives, relative gaps and steps, (B,); then the last solution and its strength."""

    coef: Array
    value: Array
    gap: Array
    steps: Array
    last: Array
    last_at: Array


class _Scaled(NamedTuple):
    """The problem in features of unit diagonal; `scale` is 0 for features without variation."""

    matrix: Array
    cross: Array
    scale: Array
    widths: tuple[int, ...]


class _Search(NamedTuple):
    """Newton iterate and its gradient, the same at the last strength solved, and how the next one is approached."""

    z: Array
    slope: Array
    solved: Array
    solved_slope: Array
    solved_at: Array
    trial: Array
    length: Array
    tries: Array
    steps: Array
    best: Array
    gap: Array


def follow(
    gram: Gram, part: Leafwise, ref: Reference, strengths: Array, start: Array, start_at: Array, tol: Array
) -> Fits:
    """Minimise gram + s * part for every s of `strengths` (B,), descending, from `start`, a solution at `start_at`.

    `part` acts on one array of q coefficients, elementwise, zero at zero. Entries that cannot be solved keep a gap
    above `tol`.
    """
    problem = _scaled(gram)
    z = _in_scale(problem, start)
    slope = matmul(z, problem.matrix) - problem.cross

    def one(carry: tuple[Array, Array, Array], s: Array) -> tuple[tuple[Array, Array, Array], tuple[Array, ...]]:
        end = _search(problem, gram.square, part, ref, s, carry, tol, carry[:2])
        w = end.best * problem.scale
        value = 0.5 * _residual(problem, gram.square, end.solved, end.solved_slope) + weighed(s, part).leaf_value(w)
        return (end.solved, end.solved_slope, end.solved_at), (w, value, end.gap, end.steps)

    (last, _, last_at), found = jax.lax.scan(one, (z, slope, start_at), strengths)
    coef, value, gap, steps = found
    return Fits(coef, value, gap, steps, last * problem.scale, last_at)


def minimise(gram: Gram, part: Leafwise, ref: Reference, guess: Array, tol: Array) -> Array:
    """The minimiser of gram + part, from a guess, else along strengths from where all coefficients are zero."""
    problem = _scaled(gram)
    z = _in_scale(problem, guess)
    one, at = jnp.ones((), z.dtype), quiet(part, -gram.cross, jnp.ones((), z.dtype))
    begin = z, matmul(z, problem.matrix) - problem.cross
    return _search(problem, gram.square, part, ref, one, (0 * z, -problem.cross, at), tol, begin).best * problem.scale


def _in_scale(problem: _Scaled, w: Array) -> Array:
    return jnp.where(problem.scale > 0, w / jnp.where(problem.scale > 0, problem.scale, 1.0), 0.0)


def _scaled(gram: Gram) -> _Scaled:
    size = jnp.diagonal(gram.matrix)
    live = size > 0
    scale = jnp.where(live, 1 / jnp.sqrt(jnp.where(live, size, 1.0)), 0.0)
    return _Scaled(gram.matrix * scale[:, None] * scale[None], gram.cross * scale, scale, _widths(len(scale)))


def _widths(features: int) -> tuple[int, ...]:
    """The sizes of systems of active entries: halvings of all, or eighths where a system too wide costs much."""
    parts = range(1, 9) if features >= _EIGHTHS else [8 >> k for k in range(_HALVINGS)][::-1]
    widths = [-(-features * k // 8) for k in parts]
    return tuple(w for w in widths if w >= _NARROWEST or w == features)


def _search(
    problem: _Scaled,
    square: Array,
    part: Leafwise,
    ref: Reference,
    target: Array,
    solved: tuple[Array, Array, Array],
    tol: Array,
    begin: tuple[Array, Array],
) -> _Search:
    """Newton at `target` from `begin`; through strengths from the one solved where that does not converge."""
    z, slope, at = solved
    zero = jnp.zeros((), jnp.int32)
    far = jnp.asarray(jnp.inf, z.dtype)
    start = _Search(*begin, z, slope, at, target, jnp.abs(at - target), zero, zero, z, far)
    least = 64 * jnp.finfo(z.dtype).eps * jnp.maximum(at, target)

    def going(c: _Search) -> Array:
        return (c.gap > tol) & (c.steps < _MOST) & ((c.tries > 0) | (c.length > least) | (c.steps == 0))

    def body(c: _Search) -> _Search:
        z, slope = _newton(problem, weighed(c.trial, part), c.z, c.slope, c.tries == 0)
        w, grad = z * problem.scale, slope / jnp.where(problem.scale > 0, problem.scale, 1.0)
        gap = squared_gap(weighed(c.trial, part), w, grad, _residual(problem, square, z, slope), ref)
        gap = jnp.where(jnp.isfinite(gap), gap, jnp.inf)
        final = c.trial == target
        better = final & (gap < c.gap)
        done = gap <= tol
        lost = ~done & ((c.tries + 1 >= _FREE) | ~jnp.all(jnp.isfinite(z)))
        at = jnp.where(done, c.trial, c.solved_at)
        base, base_slope = jnp.where(done, z, c.solved), jnp.where(done, slope, c.solved_slope)
        length = jnp.where(done, _GROW * c.length, jnp.where(lost, _SHRINK * (at - c.trial), c.length))
        trial = jnp.where(done | lost, jnp.maximum(target, at - length), c.trial)
        return _Search(
            jnp.where(lost, base, z),
            jnp.where(lost, base_slope, slope),
            base,
            base_slope,
            at,
            trial,
            length,
            jnp.where(done | lost, 0, c.tries + 1),
            c.steps + 1,
            jnp.where(better, z, c.best),
            jnp.where(better, gap, c.gap),
        )

    return jax.lax.while_loop(going, body, start)


def _residual(problem: _Scaled, square: Array, z: Array, slope: Array) -> Array:
    """The weighted sum of squared residuals from a point and its gradient."""
    return jnp.maximum(jnp.sum(z * (slope - problem.cross)) + square, 0.0)


def _newton(problem: _Scaled, g: Leafwise, z: Array, slope: Array, first: Array) -> tuple[Array, Array]:
    """One Newton step and the gradient there; the first at a new strength keeps to the entries in use."""
    reach = _reach(z.dtype)
    u = z - reach * slope
    step = reach * jnp.square(problem.scale)
    moved, derivative = jax.jvp(lambda v: g.leaf_prox(v, step), (u * problem.scale,), (jnp.ones_like(u),))
    active = (derivative > 0) & (problem.scale > 0) & (~first | (z != 0) | jnp.all(z == 0))
    safe = jnp.where(active, derivative, 1.0)
    w = moved / jnp.where(problem.scale > 0, problem.scale, 1.0)
    pull = problem.cross + (w - safe * u) / (safe * reach)
    soft = (1 - safe) / (safe * reach)
    branches = [partial(_solve, problem, width) for width in problem.widths]
    index = jnp.sum(jnp.sum(active) > jnp.asarray(problem.widths[:-1], int))
    return jax.lax.switch(index, branches, active, soft, pull, z)


def _reach(dtype: Any) -> float:
    """The prox parameter: large, so that an entry of the wrong sign goes to zero and not to the other sign."""
    return 1e3 if dtype == jnp.float64 else 10.0


def _solve(problem: _Scaled, width: int, active: Array, soft: Array, pull: Array, z: Array) -> tuple[Array, Array]:
    """Solve on the active entries, gathered into `width`; a proximal term of rounding size bears collinear ones."""
    q = len(active)
    where = jnp.nonzero(active, size=width, fill_value=q)[0]
    real = where < q
    at = jnp.where(real, where, 0)
    block = jnp.where(real[:, None] & real[None], problem.matrix[at[:, None], at[None]], 0.0)
    ridge = jnp.finfo(z.dtype).eps * q
    block = block + jnp.diag(jnp.where(real, soft[at] + ridge, 1.0))
    right = jnp.where(real, pull[at] + ridge * z[at], 0.0)
    found = solve_positive(block, right[:, None])[:, 0]
    z = jnp.zeros_like(z).at[where].set(found, mode="drop")
    return z, matmul(z, problem.matrix) - problem.cross
