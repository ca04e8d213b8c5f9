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
from jaxreg.paths._design import as_design, centred, pull
from jaxreg.paths._row_norms import Rows, pick, solve_rows, unknown
from jaxreg.paths._verdict import Verdict, squared_slopes, squared_verdict
from jaxreg.paths._working_set import Fit
from jaxreg.penalties import Leafwise
from jaxreg.solvers._certificate import Reference
from jaxreg.solvers.active_set import Fits
from jaxreg.solvers.row_norms import Norms, Roots, compressed

_WIDTHS = (128, 256, 512, 1024, 2048, 4096)


class _Whole(NamedTuple):
    """Targets (n, T), the means taken from both, shares of the rows (F, n) and held out (K, n), and scales."""

    Y: Array
    x_mean: Array
    y_mean: Array
    rows: Array
    held: Array
    refs: Reference


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
        X, Y = data[0], data[1].astype(data[0].dtype)
        self.part, self.intercept, self.norms = problem
        features = X.shape[1]
        self.widths = (*(width for width in _WIDTHS if width < features), min(features, _WIDTHS[-1]))
        self.design = as_design(X)
        rows, held = shares(weights, masks)
        pulls = jnp.max(jnp.abs(self.design.pull(rows[:, None] * Y.T[None])), (1, 2))
        x_mean, y_mean = jnp.zeros(features, Y.dtype), jnp.zeros(Y.shape[1], Y.dtype)
        if self.intercept:
            self.design, x_mean = self.design.about(self.design.pull(rows[-1:])[0])
            pulls, y_mean = jnp.maximum(pulls, jnp.max(jnp.abs(matmul(rows, Y)), 1)), matmul(rows[-1], Y)
            Y = Y - y_mean[None]
        refs, slopes = _null(Y, rows, pulls, self.intercept)
        self.whole = _Whole(Y, x_mean, y_mean, rows, held, refs)
        self.grad = jnp.swapaxes(self.design.pull(slopes), 1, 2)
        self.rows = np.asarray(rows)
        self.refs = [np.asarray(x) for x in (refs.objective, refs.gradient)]

    def fit(self, lane: int, chosen: np.ndarray, block: np.ndarray, before: Fit, tol: Array) -> Fit:
        whole, penalty, features = self.whole, (self.part, self.norms), self.design.shape[1]
        Z = self.design.columns(chosen)
        small = _small(Z, whole.Y, whole.x_mean, self.rows[lane], chosen, penalty, before.last, self.intercept)
        ref = Reference(*(x[lane] for x in self.refs))
        known = unknown(block, len(chosen)) if before.known is None else _norms(before.known, chosen)
        fits = solve_rows(small.roots, small.part, small.norms, ref, block, small.last, before.last_at, known, tol)
        return _fit(small, fits, whole.y_mean, chosen, features)

    def judge(self, block: np.ndarray, fits: list[Fit]) -> Verdict:
        errors, coef, slopes = squared_slopes(self.whole.rows, [(f.rows, f.coef) for f in fits])
        grad = jnp.swapaxes(self.design.pull(slopes), 2, 3)
        return squared_verdict(self.part, block, errors, coef, grad, *self.whole[3:])


@jax.jit
def _null(Y: Array, rows: Array, pulls: Array, intercept: bool) -> tuple[Reference, Array]:
    """The scale of every lane's gaps, and slopes where all penalised coefficients are zero."""
    away = Y.T[None] - jnp.where(intercept, matmul(rows, Y), 0.0)[..., None]
    tiny = jnp.finfo(Y.dtype).tiny
    objective = jnp.maximum(0.5 * jnp.sum(rows[:, None] * jnp.square(away), (1, 2)), tiny)
    return Reference(objective, jnp.maximum(pulls, tiny)), -rows[:, None] * away


@partial(jax.jit, static_argnums=7)
def _small(
    Z: Array,
    Y: Array,
    x_mean: Array,
    rows: Array,
    chosen: Array,
    penalty: tuple[Leafwise, Norms],
    last: Array,
    intercept: bool,
) -> _Small:
    """One lane's least squares on chosen features, centred for its own rows."""
    mean, level = jnp.zeros(len(chosen), Z.dtype), jnp.zeros(Y.shape[1], Z.dtype)
    if intercept:
        mean, level = matmul(rows, Z), matmul(rows, Y)
        Z, Y = centred(Z, mean), Y - level[None]
    root = jnp.sqrt(rows)[:, None]
    part, norms = pick(*penalty, chosen, len(x_mean))
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
def _norms(coef: Array, chosen: Array) -> Array:
    """The norms (B, width) of chosen rows of coefficients (B, p, T)."""
    square = jnp.sum(jnp.square(coef), -1)
    return jnp.sqrt(jnp.take(square, chosen, axis=1, mode="fill", fill_value=0))
