"""Wide least squares by working sets: small Gram problems, and one product with X per block to check all of it.

A block of strengths is solved, for every lane, on the features that the sequential strong rule (Tibshirani et al. 2012)
leads to expect, its gradients extrapolated as in Larsson and Wallin (2022). One product then gives the gradients of
all lanes and strengths: the gaps on the full problem, the features that were missed, and what the next block needs.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg._linalg import matmul
from jaxreg._typing import Array, Data
from jaxreg.paths._blocks import BLOCK, Vector, gather, solution, solve_block
from jaxreg.penalties import Leafwise
from jaxreg.solvers._certificate import Reference, squared_gap
from jaxreg.solvers._entering import enters, quiet, weighed
from jaxreg.solvers._loop import Solution, least_tolerance
from jaxreg.solvers.active_set import Fits, Gram

NARROWEST, WIDEST = 256, 4096
_ROUNDS = 12
_SLACK = 0.3
_COARSE, _DEEPEST = 0.75, 1e-6


class _Whole(NamedTuple):
    """Centred data, means, each lane's share of the rows (F, n), held-out shares (K, n), and the scales of gaps."""

    X: Array
    y: Array
    x_mean: Array
    y_mean: Array
    rows: Array
    held: Array
    refs: Reference
    grad: Array


class _Block(NamedTuple):
    """One lane's block on a working set: coefficients (B, p), intercepts, errors of every row (B, n)."""

    coef: Array
    intercept: Array
    errors: Array
    steps: Array
    last: Array
    last_at: Array


class _Small(NamedTuple):
    """A lane on a working set: Gram matrix, penalty and start there, centred data, and what leads back."""

    gram: Gram
    part: Leafwise
    last: Array
    Z: Array
    y: Array
    shift: Array
    level: Array


class _Verdict(NamedTuple):
    """For lanes and strengths: gaps, objectives, scores; for lanes: missed features, gradients at the last two."""

    gap: Array
    value: Array
    scores: Array
    missed: Array
    before: Array
    grad: Array


def by_working_sets(
    data: Data,
    weights: Array,
    masks: np.ndarray | None,
    vector: Vector,
    strengths: np.ndarray,
    tol: Array,
) -> tuple[Solution, Array | None] | None:
    """Fit all lanes over all strengths, on the host; None where too many features are in use at once."""
    whole = _prepare(*data, weights, masks, vector.intercept)
    starts = np.asarray(_starts(whole, vector.part, strengths[0]))
    grid, asked = refined(strengths, float(starts.max()))
    start = float(starts.max())
    run = _Run(whole, vector, starts, tol)
    made = []
    for first in range(0, len(grid), BLOCK):
        block = np.pad(grid[first : first + BLOCK], (0, max(0, first + BLOCK - len(grid))), mode="edge")
        try:
            made.append(run.solve(block, start))
        except _TooManyError:
            return None
        start = block[-1]
    columns = [np.concatenate(column, 1)[:, asked] for column in zip(*made, strict=True)]
    coef, bias, value, gap, steps, scores = columns
    params = {"coef": coef, "intercept": bias} if vector.intercept else coef
    return solution(params, value, gap, steps), None if masks is None else jnp.asarray(scores[:-1])


def refined(strengths: np.ndarray, start: float) -> tuple[np.ndarray, np.ndarray]:
    """Strengths with steps in between where they are far apart, and where the given ones stand in it."""
    grid: list[float] = []
    asked = []
    for s in strengths:
        before = grid[-1] if grid else start
        if s > _DEEPEST * start:
            count = int(np.ceil(np.log(before / s) / -np.log(_COARSE) - 1e-9))
            grid.extend(np.geomspace(before, s, max(count, 1) + 1)[1:-1])
        grid.append(s)
        asked.append(len(grid) - 1)
    return np.asarray(grid, strengths.dtype), np.asarray(asked)


@jax.jit
def _starts(whole: _Whole, part: Leafwise, strongest: Array) -> Array:
    return jax.vmap(lambda grad: quiet(part, grad, strongest))(whole.grad)


class _TooManyError(Exception):
    """More features are in use at once than a working set holds."""


class _Run:
    """The state of a path: where every lane stands, its gradients, and the width of the working sets."""

    def __init__(self, whole: _Whole, vector: Vector, starts: np.ndarray, tol: Array) -> None:
        self.whole, self.vector, self.tol = whole, vector, tol
        count, features = whole.grad.shape
        self.width = NARROWEST
        self.last: list[Any] = [np.zeros(features, tol.dtype)] * count
        self.last_at: list[Any] = list(starts)
        self.grad = self.before = whole.grad
        self.before_at: float | None = None
        self.rows = np.asarray(whole.rows)
        self.refs = [np.asarray(x) for x in (whole.refs.objective, whole.refs.gradient)]
        self.limit = max(float(tol), least_tolerance(tol.dtype))

    def solve(self, block: np.ndarray, start: float) -> tuple[np.ndarray, ...]:
        """Fit every lane over the block, add what was missed and fit again until the whole block is certified."""
        known = self.before_at is not None
        before = self.before_at if known else start
        rank = _expected(
            self.grad,
            self.before,
            self.vector.part,
            *(np.asarray(s, self.tol.dtype) for s in (start, before, block[-1])),
        )
        ranks = np.array(rank)
        used = np.stack([np.asarray(w) != 0 for w in self.last])
        sets = [self._choose(u, r) for u, r in zip(used, ranks, strict=True)]
        fits: list[Any] = [None] * len(sets)
        todo = list(range(len(sets)))
        for _ in range(_ROUNDS):
            for lane in todo:
                fits[lane] = self._fit(lane, sets[lane], block)
            verdict = _judge(self.whole, self.vector.part, block, [(f.errors, f.coef) for f in fits])
            gap, missed = np.asarray(verdict.gap), np.asarray(verdict.missed)
            todo = [k for k in range(len(sets)) if (gap[k] > self.limit).any() and self._adds(sets[k], missed[k])]
            if not todo:
                break
            for lane in todo:
                used = (np.asarray(fits[lane].coef) != 0).any(0) | (missed[lane] > 0)
                sets[lane] = self._choose(used, ranks[lane])
        self.last, self.last_at = [f.last for f in fits], [f.last_at for f in fits]
        self.grad, self.before = verdict.grad, verdict.before
        self.before_at = float(block[-2]) if block[-2] > block[-1] else None
        if self.before_at is None:
            self.before = self.grad
        columns = ([np.asarray(getattr(f, name)) for f in fits] for name in ("coef", "intercept", "steps"))
        coef, bias, steps = (np.stack(column) for column in columns)
        return coef, bias, np.asarray(verdict.value), gap, steps, np.asarray(verdict.scores)

    def _adds(self, chosen: np.ndarray, missed: np.ndarray) -> bool:
        return bool((missed > 0).sum() > (missed[chosen[chosen < len(missed)]] > 0).sum())

    def _choose(self, used: np.ndarray, rank: np.ndarray) -> np.ndarray:
        """Feature numbers, padded with p: those in use, then the likeliest."""
        features = len(used)
        need = int(used.sum())
        while self.width < min(1.25 * need, features):
            self.width *= 2
        if self.width > WIDEST:
            raise _TooManyError
        room = min(self.width, features) - need
        rest = np.flatnonzero((rank > 0) & ~used)
        if len(rest) > room:
            rest = rest[np.argpartition(-rank[rest], room)[:room]]
        chosen = np.sort(np.concatenate([np.flatnonzero(used), rest]))
        return np.pad(chosen, (0, self.width - len(chosen)), constant_values=features).astype(np.int32)

    def _fit(self, lane: int, chosen: np.ndarray, block: np.ndarray) -> _Block:
        chosen = np.pad(chosen, (0, self.width - len(chosen)), constant_values=self.whole.grad.shape[1])
        whole, (part, intercept) = self.whole, self.vector
        small = _small(whole.X, whole.y, whole.x_mean, self.rows[lane], chosen, part, self.last[lane], intercept)
        ref = Reference(*(x[lane] for x in self.refs))
        fits = solve_block(small.gram, small.part, ref, block, small.last, self.last_at[lane], self.tol)
        return _block(small, fits, whole.y_mean, chosen, whole.X.shape[1])


@partial(jax.jit, static_argnums=4)
def _prepare(X: Array, y: Array, weights: Array, masks: Array | None, intercept: bool) -> _Whole:
    lanes, held = weights[None], jnp.zeros((0, len(y)), X.dtype)
    if masks is not None:
        held = weights[None] * masks.astype(X.dtype)
        lanes = jnp.concatenate([weights[None] - held, lanes])
        held = held / jnp.sum(held, 1, keepdims=True)
    rows = lanes / jnp.sum(lanes, 1, keepdims=True)
    raw = matmul(rows * y[None], X)
    pulls = jnp.max(jnp.abs(raw), 1)
    x_mean, y_mean = jnp.zeros(X.shape[1], X.dtype), jnp.zeros((), X.dtype)
    if intercept:
        pulls = jnp.maximum(pulls, jnp.abs(rows @ y))
        x_mean, y_mean = matmul(rows[-1], X), jnp.sum(rows[-1] * y)
        X, y = X - x_mean[None], y - y_mean
        noise = 16 * jnp.finfo(X.dtype).eps * jnp.abs(x_mean)
        X = jnp.where((jnp.max(jnp.abs(X), 0) <= noise)[None], 0.0, X)
    away = y[None] - (matmul(rows, y)[:, None] if intercept else 0.0)
    tiny = jnp.finfo(X.dtype).tiny
    objective = jnp.maximum(0.5 * jnp.sum(rows * jnp.square(away), 1), tiny)
    refs = Reference(objective, jnp.maximum(pulls, tiny))
    return _Whole(X, y, x_mean, y_mean, rows, held, refs, -matmul(rows * away, X))


@partial(jax.jit, static_argnums=7)
def _small(
    X: Array, y: Array, x_mean: Array, rows: Array, chosen: Array, part: Leafwise, last: Array, intercept: bool
) -> _Small:
    """One lane's least squares on chosen features, centred for its own rows."""
    Z = jnp.take(X, chosen, axis=1, mode="fill", fill_value=0)
    mean, level = jnp.zeros(len(chosen), Z.dtype), jnp.zeros((), Z.dtype)
    if intercept:
        mean, level = matmul(rows, Z), jnp.sum(rows * y)
        Z, y = Z - mean[None], y - level
    root = jnp.sqrt(rows)
    A, b = root[:, None] * Z, root * y
    gram = Gram(matmul(A.T, A), matmul(b, A), jnp.sum(jnp.square(b)))
    begin = jnp.take(last, chosen, mode="fill", fill_value=0)
    shift = mean + jnp.take(x_mean, chosen, mode="fill", fill_value=0)
    return _Small(gram, gather(part, chosen, X.shape[1]), begin, Z, y, shift, level)


@partial(jax.jit, static_argnums=4)
def _block(small: _Small, fits: Fits, y_mean: Array, chosen: Array, features: int) -> _Block:
    """The fits on all features, and their errors on all rows."""
    errors = matmul(fits.coef, small.Z.T) - small.y[None]
    bias = y_mean + small.level - matmul(fits.coef, small.shift)
    spread = jnp.zeros((len(fits.coef), features), errors.dtype).at[:, chosen].set(fits.coef, mode="drop")
    end = jnp.zeros(features, errors.dtype).at[chosen].set(fits.last, mode="drop")
    return _Block(spread, bias, errors, fits.steps, end, fits.last_at)


@jax.jit
def _judge(whole: _Whole, part: Leafwise, strengths: Array, fits: list[tuple[Array, Array]]) -> _Verdict:
    """All gradients of all lanes and strengths in one product, and what they say."""
    errors, coef = (jnp.stack(column) for column in zip(*fits, strict=True))
    pulled = errors * whole.rows[:, None]
    grad = matmul(pulled.reshape(-1, pulled.shape[-1]), whole.X).reshape(coef.shape)
    square = jnp.sum(pulled * errors, -1)

    def cell(w: Array, g: Array, rest: Array, s: Array, ref: Reference) -> tuple[Array, Array]:
        return squared_gap(weighed(s, part), w, g, rest, ref), 0.5 * rest + weighed(s, part).leaf_value(w)

    gap, value = jax.vmap(jax.vmap(cell, in_axes=(0, 0, 0, 0, None)), in_axes=(0, 0, 0, None, 0))(
        coef, grad, square, strengths, whole.refs
    )
    moved = jax.vmap(lambda g: jax.vmap(partial(enters, part))(g, strengths))(grad)
    missed = jnp.max(jnp.where(coef == 0, moved, 0.0), 1)
    folds = whole.held.shape[0]
    scores = 0.5 * jnp.sum(whole.held[:, None] * jnp.square(errors[:folds]), -1)
    scores = jnp.concatenate([scores, jnp.zeros((1, scores.shape[1]), scores.dtype)])
    return _Verdict(gap, value, scores, missed, grad[:, -2], grad[:, -1])


@jax.jit
def _expected(grad: Array, before: Array, part: Leafwise, at: Array, before_at: Array, to: Array) -> Array:
    """How far coefficients at zero would move at the strength `to`, by gradients extrapolated, with slack."""
    known = before_at > at
    turn = (before - grad) / jnp.where(known, before_at - at, 1.0)
    there = grad + jnp.where(known, 1.0, 0.0) * turn * (to - at)
    slack = jnp.where(known, _SLACK, 1.0) * (at - to)
    reach = jnp.maximum(to - slack, 0.0)
    return jax.vmap(lambda g, h: jnp.maximum(enters(part, g, reach), enters(part, h, reach)))(grad, there)
