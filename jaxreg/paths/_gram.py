"""Least squares with an elementwise penalty through moments: X is read once, every lane is a Gram matrix."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg import _validate
from jaxreg._typing import Array, Data, PyTree
from jaxreg.moments import Moments, fold_moments, joined, left_out, moments
from jaxreg.paths._blocks import Vector, blocks, bucket, gather, solution, solve_block
from jaxreg.paths._host import host_fold_moments, host_moments
from jaxreg.paths._knots import Lassos, by_knots, lasso_weights
from jaxreg.paths._results import results
from jaxreg.penalties import Leafwise
from jaxreg.solvers._certificate import Reference
from jaxreg.solvers._entering import quiet
from jaxreg.solvers._loop import MARGIN, Solution, floored
from jaxreg.solvers.active_set import Gram


class _Samples(NamedTuple):
    """Every lane's Gram matrix (F, q, q), scale and means, and the moments of what each fold holds out."""

    grams: Gram
    refs: Reference
    x_mean: Array
    y_mean: Array
    held: Moments | None


def by_moments(
    data: Data,
    weights: Array,
    masks: np.ndarray | None,
    order: np.ndarray | None,
    vector: Vector,
    strengths: np.ndarray,
    tol: Array,
) -> tuple[Solution, Array | None]:
    """Fit all lanes over all strengths, on the host; held-out scores (K, L) of the folds."""
    part, intercept = vector
    features = data[0].shape[1]
    samples = _samples(*all_moments(*data, weights, masks, order), bucket(features), intercept)
    wide = _widened(part, bucket(features), features)
    found = _from_knots(samples, wide, strengths, tol) or _from_active_sets(samples, wide, strengths, tol)
    params, scores = _finish(samples, found[0], features, intercept)
    return solution(params, *found[1:]), scores


def _from_knots(samples: _Samples, part: Leafwise, strengths: np.ndarray, tol: Array) -> tuple[Any, ...] | None:
    """Coefficients, objectives, gaps and steps of lassos on few features; None where some lane did not converge."""
    weights = lasso_weights(part, samples.grams.cross.shape[1:])
    if weights is None:
        return None
    found = by_knots(_as_tasks(samples), part, weights, strengths)
    return found if (np.asarray(found[2]) <= MARGIN * float(floored(tol))).all() else None


@jax.jit
def _as_tasks(samples: _Samples) -> Lassos:
    matrix, cross, square = (x[:, None] for x in (samples.grams.matrix, samples.grams.cross, samples.grams.square))
    return Lassos(matrix, cross, square, jnp.ones_like(square), samples.refs)


def _from_active_sets(samples: _Samples, part: Leafwise, strengths: np.ndarray, tol: Array) -> tuple[Any, ...]:
    starts = np.asarray(_starts(samples, part, strengths[0]))
    rows = [_along(samples, lane, part, strengths, start, tol) for lane, start in enumerate(starts)]
    return tuple(np.stack(column) for column in zip(*rows, strict=True))


def _along(
    samples: _Samples, lane: int, part: Leafwise, strengths: np.ndarray, start: np.ndarray, tol: Array
) -> tuple[np.ndarray, ...]:
    """One lane over all strengths, block after block from where the last one ended."""
    last, at = np.zeros(samples.grams.cross.shape[1:], tol.dtype), start
    gram, ref = _lane(samples, np.int32(lane))
    made = []
    for where, block in blocks(strengths):
        fits = solve_block(gram, part, ref, block, last, at, tol)
        last, at = fits.last, fits.last_at
        made.append((where.stop - where.start, fits))
    columns = ([np.asarray(getattr(fits, name))[:n] for n, fits in made] for name in ("coef", "value", "gap", "steps"))
    return tuple(np.concatenate(column) for column in columns)


@jax.jit
def _lane(samples: _Samples, lane: Array) -> tuple[Gram, Reference]:
    return jax.tree.map(lambda x: x[lane], (samples.grams, samples.refs))


@jax.jit
def _starts(samples: _Samples, part: Leafwise, strongest: Array) -> Array:
    return jax.vmap(lambda cross: quiet(part, -cross, strongest))(samples.grams.cross)


@partial(jax.jit, static_argnums=(1, 2))
def _widened(part: Leafwise, size: int, features: int) -> Leafwise:
    return gather(part, jnp.arange(size), features)


def all_moments(
    X: Array, y: Array, weights: Array, masks: np.ndarray | None, order: np.ndarray | None
) -> tuple[Moments | None, Moments]:
    """Moments of each fold's held-out rows, and of the training rows of every lane, the last one of all rows."""
    if _validate.on_host(X):
        rows = np.asarray(X), np.asarray(y), np.asarray(weights)
        whole, of = partial(host_moments, *rows), partial(host_fold_moments, *rows)
    else:
        whole, of = partial(_whole, X, y, weights), partial(_folds, X, y, weights, order)
    if masks is None:
        return None, _alone(whole())
    held = of(masks)
    if order is None:
        return held, jax.tree.map(lambda a, b: np.concatenate([a, b[None]]), of(~masks), whole())
    return held, _without(held)


_whole = jax.jit(moments)
_alone = jax.jit(lambda stats: jax.tree.map(lambda x: x[None], stats))
_without = jax.jit(lambda held: left_out(joined(held), held))
_folds = jax.jit(lambda X, y, weights, order, masks: fold_moments(X, y, weights, masks, order))


@partial(jax.jit, static_argnames=("size", "intercept"))
def _samples(held: Moments | None, stats: Moments, size: int, intercept: bool) -> _Samples:
    matrix, cross, square = stats.gram(centre=intercept)
    features, dtype = matrix.shape[-1], matrix.dtype
    size_of = jnp.diagonal(matrix, axis1=-2, axis2=-1)
    noise = jnp.square(16 * jnp.finfo(dtype).eps * stats.x_mean) if intercept else jnp.zeros_like(size_of)
    matrix = jnp.where(jnp.eye(features, dtype=bool)[None] & (size_of <= noise)[..., None], 0.0, matrix)
    raw = jnp.max(jnp.abs(stats.gram(centre=False)[1]), -1)
    pulls = jnp.maximum(raw, jnp.abs(stats.y_mean)) if intercept else raw
    tiny = jnp.finfo(dtype).tiny
    refs = Reference(jnp.maximum(0.5 * square, tiny), jnp.maximum(pulls, tiny))
    pad = size - features
    grams = Gram(jnp.pad(matrix, ((0, 0), (0, pad), (0, pad))), jnp.pad(cross, ((0, 0), (0, pad))), square)
    return _Samples(grams, refs, stats.x_mean, stats.y_mean, held)


@partial(jax.jit, static_argnames=("features", "intercept"))
def _finish(samples: _Samples, coef: Array, features: int, intercept: bool) -> tuple[PyTree, Array | None]:
    return results(samples.held, samples.x_mean, samples.y_mean, coef[..., :features], intercept)
