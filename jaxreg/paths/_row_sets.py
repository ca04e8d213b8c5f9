"""Several outputs on working sets: a few features per lane and block by `row_norms`, all features in the judge."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg._linalg import matmul
from jaxreg._typing import Array, Data
from jaxreg.paths._blocks import shares, spread_rows
from jaxreg.paths._design import centred, columns, pull
from jaxreg.paths._row_norms import Rows, pick, solve_rows
from jaxreg.paths._verdict import Verdict, squared_verdicts
from jaxreg.paths._working_set import Fit
from jaxreg.penalties import Leafwise
from jaxreg.solvers._certificate import Reference
from jaxreg.solvers.active_set import Fits
from jaxreg.solvers.row_norms import Norms, Roots, compressed

_WIDTHS = (128, 256, 512, 1024, 2048, 4096)


class _Whole(NamedTuple):
    """Centred data (n, p) and (n, T), means, shares of the rows (F, n) and held out (K, n), scales and gradients."""

    X: Array
    Y: Array
    x_mean: Array
    y_mean: Array
    rows: Array
    held: Array
    refs: Reference
    grad: Array


class _Small(NamedTuple):
    """A lane on a working set: the problem, penalty and start there, centred data, and what leads back."""

    roots: Roots
    part: Leafwise
    norms: Norms
    last: Array
    Z: Array
    Y: Array
    shift: Array
    level: Array


class RowLanes:
    """Samples that differ by their weights, the last one whole; `Fit.rows` are errors (B, T, n)."""

    def __init__(self, data: Data, weights: Array, masks: np.ndarray | None, problem: Rows) -> None:
        self.part, self.intercept, self.norms = problem
        features = data[0].shape[1]
        self.widths = (*(width for width in _WIDTHS if width < features), min(features, _WIDTHS[-1]))
        self.whole = _prepare(*data, weights, masks, self.intercept)
        self.grad = self.whole.grad
        self.rows = np.asarray(self.whole.rows)
        self.refs = [np.asarray(x) for x in (self.whole.refs.objective, self.whole.refs.gradient)]

    def fit(self, lane: int, chosen: np.ndarray, block: np.ndarray, before: Fit, tol: Array) -> Fit:
        whole, penalty = self.whole, (self.part, self.norms)
        small = _small(whole.X, whole.Y, whole.x_mean, self.rows[lane], chosen, penalty, before.last, self.intercept)
        ref = Reference(*(x[lane] for x in self.refs))
        fits = solve_rows(small.roots, small.part, small.norms, ref, block, small.last, before.last_at, tol)
        return _fit(small, fits, whole.y_mean, chosen, whole.X.shape[1])

    def judge(self, block: np.ndarray, fits: list[Fit]) -> Verdict:
        return _judge(self.whole, self.part, block, *_gradients(self.whole, [(f.rows, f.coef) for f in fits]))


@partial(jax.jit, static_argnums=4)
def _prepare(X: Array, Y: Array, weights: Array, masks: Array | None, intercept: bool) -> _Whole:
    Y = Y.astype(X.dtype)
    rows, held = shares(weights, masks)
    pulls = jnp.max(jnp.abs(pull(rows[:, None] * Y.T[None], X)), (1, 2))
    x_mean, y_mean = jnp.zeros(X.shape[1], X.dtype), jnp.zeros(Y.shape[1], X.dtype)
    levels = jnp.zeros((len(rows), Y.shape[1]), X.dtype)
    if intercept:
        pulls = jnp.maximum(pulls, jnp.max(jnp.abs(matmul(rows, Y)), 1))
        x_mean, y_mean = matmul(rows[-1], X), matmul(rows[-1], Y)
        X, Y = centred(X, x_mean), Y - y_mean[None]
        levels = matmul(rows, Y)
    away = Y.T[None] - levels[:, :, None]
    tiny = jnp.finfo(X.dtype).tiny
    objective = jnp.maximum(0.5 * jnp.sum(rows[:, None] * jnp.square(away), (1, 2)), tiny)
    grad = -jnp.swapaxes(pull(rows[:, None] * away, X), 1, 2)
    return _Whole(X, Y, x_mean, y_mean, rows, held, Reference(objective, jnp.maximum(pulls, tiny)), grad)


@partial(jax.jit, static_argnums=7)
def _small(
    X: Array,
    Y: Array,
    x_mean: Array,
    rows: Array,
    chosen: Array,
    penalty: tuple[Leafwise, Norms],
    last: Array,
    intercept: bool,
) -> _Small:
    """One lane's least squares on chosen features, centred for its own rows."""
    Z = columns(X, chosen)
    mean, level = jnp.zeros(len(chosen), Z.dtype), jnp.zeros(Y.shape[1], Z.dtype)
    if intercept:
        mean, level = matmul(rows, Z), matmul(rows, Y)
        Z, Y = Z - mean[None], Y - level[None]
    root = jnp.sqrt(rows)[:, None]
    part, norms = pick(*penalty, chosen, X.shape[1])
    begin = jnp.take(last, chosen, axis=0, mode="fill", fill_value=0)
    shift = mean + jnp.take(x_mean, chosen, mode="fill", fill_value=0)
    return _Small(compressed(root * Z, root * Y), part, norms, begin, Z, Y, shift, level)


@partial(jax.jit, static_argnums=4)
def _fit(small: _Small, fits: Fits, y_mean: Array, chosen: Array, features: int) -> Fit:
    """The fits on all features, and their errors on all rows."""
    turned = jnp.swapaxes(fits.coef, 1, 2)
    errors = pull(turned, small.Z.T) - small.Y.T[None]
    bias = (y_mean + small.level)[None] - matmul(turned, small.shift)
    coef, last = spread_rows(fits.coef, chosen, features), spread_rows(fits.last, chosen, features)
    return Fit(coef, bias, errors, fits.steps, last, fits.last_at)


@jax.jit
def _gradients(whole: _Whole, fits: list[tuple[Array, Array]]) -> tuple[Array, Array, Array]:
    """Errors, coefficients and, in one product, the gradients of all lanes, strengths and outputs."""
    errors, coef = (jnp.stack(column) for column in zip(*fits, strict=True))
    return errors, coef, jnp.swapaxes(pull(errors * whole.rows[:, None, None], whole.X), 2, 3)


@jax.jit
def _judge(whole: _Whole, part: Leafwise, strengths: Array, errors: Array, coef: Array, grad: Array) -> Verdict:
    square = jnp.sum(errors * whole.rows[:, None, None] * errors, (-2, -1))
    gap, value, missed = squared_verdicts(part, strengths, coef, grad, square, whole.refs)
    folds = whole.held.shape[0]
    scores = 0.5 * jnp.sum(whole.held[:, None, None] * jnp.square(errors[:folds]), (-2, -1))
    return Verdict(gap, value, scores, missed, grad[:, -2], grad[:, -1])
