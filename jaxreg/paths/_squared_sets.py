"""Least squares on working sets: a Gram matrix per lane and block, all its strengths by active-set Newton."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg._linalg import matmul
from jaxreg._typing import Array, Data
from jaxreg.paths._blocks import Vector, gather, solve_block, spread
from jaxreg.paths._design import columns, pull
from jaxreg.paths._working_set import Fit, Verdict, squared_verdicts
from jaxreg.penalties import Leafwise
from jaxreg.solvers._certificate import Reference
from jaxreg.solvers.active_set import Fits, Gram


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


class _Small(NamedTuple):
    """A lane on a working set: Gram matrix, penalty and start there, centred data, and what leads back."""

    gram: Gram
    part: Leafwise
    last: Array
    Z: Array
    y: Array
    shift: Array
    level: Array


class SquaredLanes:
    """Samples that differ by their weights, the last one whole; `Fit.rows` are errors."""

    widths: tuple[int, ...] = (256, 512, 1024, 2048, 4096)

    def __init__(self, data: Data, weights: Array, masks: np.ndarray | None, vector: Vector) -> None:
        self.part, self.intercept = vector
        self.whole = _prepare(*data, weights, masks, vector.intercept)
        self.grad = self.whole.grad
        self.rows = np.asarray(self.whole.rows)
        self.refs = [np.asarray(x) for x in (self.whole.refs.objective, self.whole.refs.gradient)]

    def fit(self, lane: int, chosen: np.ndarray, block: np.ndarray, before: Fit, tol: Array) -> Fit:
        whole = self.whole
        small = _small(whole.X, whole.y, whole.x_mean, self.rows[lane], chosen, self.part, before.last, self.intercept)
        ref = Reference(*(x[lane] for x in self.refs))
        fits = solve_block(small.gram, small.part, ref, block, small.last, before.last_at, tol)
        return _fit(small, fits, whole.y_mean, chosen, whole.X.shape[1])

    def judge(self, block: np.ndarray, fits: list[Fit]) -> Verdict:
        return _judge(self.whole, self.part, block, *_gradients(self.whole, [(f.rows, f.coef) for f in fits]))


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
    Z = columns(X, chosen)
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
def _fit(small: _Small, fits: Fits, y_mean: Array, chosen: Array, features: int) -> Fit:
    """The fits on all features, and their errors on all rows."""
    errors = matmul(fits.coef, small.Z.T) - small.y[None]
    bias = y_mean + small.level - matmul(fits.coef, small.shift)
    coef, last = spread(fits.coef, chosen, features), spread(fits.last, chosen, features)
    return Fit(coef, bias, errors, fits.steps, last, fits.last_at)


@jax.jit
def _gradients(whole: _Whole, fits: list[tuple[Array, Array]]) -> tuple[Array, Array, Array]:
    """Errors, coefficients and, in one product, the gradients of all lanes and strengths."""
    errors, coef = (jnp.stack(column) for column in zip(*fits, strict=True))
    return errors, coef, pull(errors * whole.rows[:, None], whole.X)


@jax.jit
def _judge(whole: _Whole, part: Leafwise, strengths: Array, errors: Array, coef: Array, grad: Array) -> Verdict:
    square = jnp.sum(errors * whole.rows[:, None] * errors, -1)
    gap, value, missed = squared_verdicts(part, strengths, coef, grad, square, whole.refs)
    folds = whole.held.shape[0]
    scores = 0.5 * jnp.sum(whole.held[:, None] * jnp.square(errors[:folds]), -1)
    return Verdict(gap, value, scores, missed, grad[:, -2], grad[:, -1])
