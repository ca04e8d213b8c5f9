"""Least squares with several outputs and a penalty on the norms of rows: whom it serves, and tall data by moments."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg import _validate
from jaxreg._typing import Array, Data, PyTree
from jaxreg.moments import Moments
from jaxreg.paths._blocks import blocks, solution
from jaxreg.paths._gram import all_moments
from jaxreg.paths._results import results
from jaxreg.penalties import Leafwise, Penalty
from jaxreg.solvers._certificate import Reference
from jaxreg.solvers._entering import quiet
from jaxreg.solvers._loop import MARGIN, Solution, floored
from jaxreg.solvers._problem import Smooth
from jaxreg.solvers._reduce import coefficient_part
from jaxreg.solvers.active_set import Fits
from jaxreg.solvers.row_norms import Norms, Roots, follow_rows, from_gram


class Rows(NamedTuple):
    """A penalty on the norms of the rows of coefficients (p, T), its numbers, and whether there is an intercept."""

    part: Leafwise
    intercept: bool
    norms: Norms


class _Samples(NamedTuple):
    """Every lane's problem, scale, means (F, p) and (F, T), and where it begins."""

    roots: Roots
    refs: Reference
    x_mean: Array
    y_mean: Array
    starts: Array


def rows_problem(f: Smooth, penalty: Penalty, init: PyTree) -> Rows | None:
    """Squared loss with several outputs and norms of rows with positive strengths, values known; else None."""
    if not f.is_squared or f.is_multitask or f.data[1].ndim != 2 or _validate.traced(f, penalty, init):
        return None
    found = coefficient_part(f, penalty, init)
    if found is None:
        return None
    part, intercept = found
    coef = init["coef"] if intercept else init
    norms = _norms(part, coef)
    return None if norms is None else Rows(part, intercept, norms)


def _norms(part: Leafwise, coef: Array) -> Norms | None:
    """The strengths of a penalty on norms of rows and of ridges beside it; None for any other."""
    terms = getattr(part, "terms", (part,))
    ridges = [term for term in terms if term.quadratic]
    rest = [term for term in terms if not term.quadratic]
    if len(rest) != 1 or not (rest[0].gauge and rest[0].radial and rest[0].convex) or not part.dualisable:
        return None
    features, outputs = coef.shape
    if not part.centred or jax.eval_shape(rest[0].leaf_terms, coef).shape != (features, 1):
        return None
    flat = jnp.full(coef.shape, outputs**-0.5, coef.dtype)
    weight = np.asarray(rest[0].leaf_terms(flat))[:, 0]
    ridge = np.zeros(coef.shape, coef.dtype)
    for term in ridges:
        ridge = ridge + np.asarray(term.leaf_quadratic(coef)[0])
    even = np.isfinite(ridge).all() and (ridge == ridge[:, :1]).all()
    return Norms(jnp.asarray(weight), jnp.asarray(ridge[:, 0])) if even and (weight > 0).all() else None


def pick(part: Leafwise, norms: Norms, index: Array, features: int) -> tuple[Leafwise, Norms]:
    """A penalty on some of the rows: what has one number per row is gathered."""

    def take(x: Any) -> Any:
        rows = np.ndim(x) == 2 and x.shape[0] == features
        return jnp.take(x, index, axis=0, mode="clip") if rows else x

    return jax.tree.map(take, part), jax.tree.map(lambda x: jnp.take(x, index, mode="clip"), norms)


@jax.jit
def solve_rows(
    roots: Roots,
    part: Leafwise,
    norms: Norms,
    ref: Reference,
    strengths: Array,
    last: Array,
    at: Array,
    known: Array,
    tol: Array,
) -> Fits:
    """One lane over a block of strengths."""
    return follow_rows(roots, part, norms, ref, strengths, last, at, known, MARGIN * floored(tol))


def unknown(block: np.ndarray, features: int) -> np.ndarray:
    """Norms of rows that nobody knows: NaN for every strength and feature."""
    return np.full((len(block), features), np.nan, block.dtype)


def by_row_moments(
    data: Data,
    weights: Array,
    masks: np.ndarray | None,
    order: np.ndarray | None,
    rows: Rows,
    strengths: np.ndarray,
    tol: Array,
) -> tuple[Solution, Array | None]:
    """Fit all lanes over all strengths, X read once; held-out scores (K, L) of the folds."""
    held, stats = all_moments(*data, weights, masks, order)
    samples = _samples(stats, rows.part, strengths[0], rows.intercept)
    made = [_along(samples, lane, rows, strengths, tol) for lane in range(len(samples.starts))]
    coef, value, gap, steps = (np.stack(column) for column in zip(*made, strict=True))
    params, scores = results(held, samples.x_mean, samples.y_mean, coef, rows.intercept)
    return solution(params, value, gap, steps), scores


def _along(samples: _Samples, lane: int, rows: Rows, strengths: np.ndarray, tol: Array) -> tuple[np.ndarray, ...]:
    """One lane over all strengths, block after block from where the last one ended."""
    roots, ref, at, last = _lane(samples, np.int32(lane))
    made = []
    for where, block in blocks(strengths):
        fits = solve_rows(roots, rows.part, rows.norms, ref, block, last, at, unknown(block, len(last)), tol)
        last, at = fits.last, fits.last_at
        made.append((where.stop - where.start, fits))
    columns = ([np.asarray(getattr(fits, name))[:n] for n, fits in made] for name in ("coef", "value", "gap", "steps"))
    return tuple(np.concatenate(column) for column in columns)


@jax.jit
def _lane(samples: _Samples, lane: Array) -> tuple[Roots, Reference, Array, Array]:
    roots, ref, at = jax.tree.map(lambda x: x[lane], (samples.roots, samples.refs, samples.starts))
    return roots, ref, at, jnp.zeros((roots.A.shape[1], roots.Y.shape[1]), roots.A.dtype)


@partial(jax.jit, static_argnames="intercept")
def _samples(stats: Moments, part: Leafwise, strongest: Array, intercept: bool) -> _Samples:
    matrix, cross, square = stats.gram(centre=intercept)
    dtype, size = matrix.dtype, jnp.diagonal(matrix, axis1=-2, axis2=-1)
    noise = 8 * jnp.finfo(dtype).eps * size[-1:]  # moments of folds are differences from the whole sample's
    if intercept:
        noise = jnp.maximum(noise, jnp.square(16 * jnp.finfo(dtype).eps * stats.x_mean))
    live = size > noise
    matrix = jnp.where(live[..., None] & live[..., None, :], matrix, 0.0)
    cross = jnp.where(live[..., None], cross, 0.0)
    pulls = jnp.max(jnp.abs(stats.gram(centre=False)[1]), (-2, -1))
    pulls = jnp.maximum(pulls, jnp.max(jnp.abs(stats.y_mean), -1)) if intercept else pulls
    total, tiny = jnp.sum(square, -1), jnp.finfo(dtype).tiny
    refs = Reference(jnp.maximum(0.5 * total, tiny), jnp.maximum(pulls, tiny))
    starts = jax.vmap(lambda c: quiet(part, -c, strongest))(cross)
    return _Samples(jax.vmap(from_gram)(matrix, cross, total), refs, stats.x_mean, stats.y_mean, starts)
