"""Least squares on working sets: a Gram matrix per lane and block, all its strengths by active-set Newton."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg._linalg import matmul
from jaxreg._typing import Array
from jaxreg.paths._blocks import Vector, gather, shares, solve_block, spread
from jaxreg.paths._design import Sparse, as_design, centred
from jaxreg.paths._verdict import Verdict, squared_slopes, squared_verdict
from jaxreg.paths._working_set import Fit
from jaxreg.penalties import Leafwise
from jaxreg.solvers._certificate import Reference
from jaxreg.solvers.active_set import Fits, Gram


class _Whole(NamedTuple):
    """Centred targets, means, each lane's share of the rows (F, n), held-out shares (K, n), and the scales of gaps."""

    y: Array
    x_mean: Array
    y_mean: Array
    rows: Array
    held: Array
    refs: Reference


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
    """Samples that differ by their weights, the last one whole; `Fit.rows` are errors.

    Features far from zero are centred by the means of the whole sample, those of a lane's working set by its own.
    """

    widths: tuple[int, ...] = (256, 512, 1024, 2048, 4096)

    def __init__(self, data: tuple[Any, Array], weights: Array, masks: np.ndarray | None, vector: Vector) -> None:
        X, y = data
        self.part, self.intercept = vector
        self.design = as_design(X)
        if isinstance(X, Sparse):
            self.widths = (64, *self.widths)  # of many rows few columns are made dense
        rows, held = shares(weights, masks)
        pulled = self.design.pull(jnp.concatenate([rows * y[None], rows[-1:]]))
        x_mean, y_mean = jnp.zeros(X.shape[1], y.dtype), jnp.zeros((), y.dtype)
        if self.intercept:
            self.design, x_mean = self.design.about(pulled[-1])
            y_mean = jnp.sum(rows[-1] * y)
            y = y - y_mean
        refs, slopes = _null(y, rows, pulled[:-1], y_mean, self.intercept)
        self.whole = _Whole(y, x_mean, y_mean, rows, held, refs)
        self.grad = self.design.pull(slopes)
        self.rows = np.asarray(rows)
        self.refs = [np.asarray(x) for x in (refs.objective, refs.gradient)]

    def fit(self, lane: int, chosen: np.ndarray, block: np.ndarray, before: Fit, tol: Array) -> Fit:
        whole, Z = self.whole, self.design.columns(chosen)
        small = _small(Z, whole.y, whole.x_mean, self.rows[lane], chosen, self.part, before.last, self.intercept)
        ref = Reference(*(x[lane] for x in self.refs))
        fits = solve_block(small.gram, small.part, ref, block, small.last, before.last_at, tol)
        return _fit(small, fits, whole.y_mean, chosen, self.design.shape[1])

    def judge(self, block: np.ndarray, fits: list[Fit]) -> Verdict:
        errors, coef, slopes = squared_slopes(self.whole.rows, [(f.rows, f.coef) for f in fits])
        return squared_verdict(self.part, block, errors, coef, self.design.pull(slopes), *self.whole[3:])


@partial(jax.jit, static_argnums=4)
def _null(y: Array, rows: Array, raw: Array, y_mean: Array, intercept: bool) -> tuple[Reference, Array]:
    """The scale of every lane's gaps, and slopes where all penalised coefficients are zero."""
    pulls = jnp.max(jnp.abs(raw), 1)
    if intercept:
        pulls = jnp.maximum(pulls, jnp.abs(matmul(rows, y + y_mean)))
    away = y[None] - (matmul(rows, y)[:, None] if intercept else 0.0)
    tiny = jnp.finfo(y.dtype).tiny
    objective = jnp.maximum(0.5 * jnp.sum(rows * jnp.square(away), 1), tiny)
    return Reference(objective, jnp.maximum(pulls, tiny)), -rows * away


@partial(jax.jit, static_argnums=7)
def _small(
    Z: Array, y: Array, x_mean: Array, rows: Array, chosen: Array, part: Leafwise, last: Array, intercept: bool
) -> _Small:
    """One lane's least squares on chosen features, centred for its own rows."""
    mean, level = jnp.zeros(len(chosen), Z.dtype), jnp.zeros((), Z.dtype)
    if intercept:
        mean, level = matmul(rows, Z), jnp.sum(rows * y)
        Z, y = centred(Z, mean), y - level
    root = jnp.sqrt(rows)
    A, b = root[:, None] * Z, root * y
    gram = Gram(matmul(A.T, A), matmul(b, A), jnp.sum(jnp.square(b)))
    begin = jnp.take(last, chosen, mode="fill", fill_value=0)
    shift = mean + jnp.take(x_mean, chosen, mode="fill", fill_value=0)
    return _Small(gram, gather(part, chosen, len(x_mean)), begin, Z, y, shift, level)


@partial(jax.jit, static_argnums=4)
def _fit(small: _Small, fits: Fits, y_mean: Array, chosen: Array, features: int) -> Fit:
    """The fits on all features, and their errors on all rows."""
    errors = matmul(fits.coef, small.Z.T) - small.y[None]
    bias = y_mean + small.level - matmul(fits.coef, small.shift)
    coef, last = spread(fits.coef, chosen, features), spread(fits.last, chosen, features)
    return Fit(coef, bias, errors, fits.steps, last, fits.last_at)
