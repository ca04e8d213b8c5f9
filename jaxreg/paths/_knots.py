"""Lassos on moments from knot to knot: one for every lane and task, all in lockstep, judged by their certificates."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg import _validate
from jaxreg._linalg import einsum
from jaxreg._typing import Array, Data, PyTree
from jaxreg.moments import Moments
from jaxreg.paths._blocks import blocks, solution
from jaxreg.paths._lanes import counts_of, statistics
from jaxreg.paths._results import results
from jaxreg.penalties import Leafwise, Penalty
from jaxreg.risk import MultitaskRisk, Risk
from jaxreg.solvers._certificate import Reference, squared_gap
from jaxreg.solvers._entering import weighed
from jaxreg.solvers._loop import Solution
from jaxreg.solvers._problem import Smooth
from jaxreg.solvers._reduce import coefficient_part
from jaxreg.solvers.homotopy import lasso_paths

_MOST = 256
"""With more features than that a knot costs too much."""


class Tasks(NamedTuple):
    """A lasso's penalty on a vector per task, the weights (tasks, p) of its terms, and whether there are intercepts."""

    part: Leafwise
    weights: np.ndarray
    intercept: bool


class Lassos(NamedTuple):
    """Second moments of lanes F and tasks T, what a task counts for (F, T), and the scale of each lane's gap."""

    matrix: Array
    cross: Array
    square: Array
    counts: Array
    refs: Reference


def tasks_problem(f: Smooth, penalty: Penalty, init: PyTree) -> Tasks | None:
    """Independent lassos, one per task of few features, values known; None for anything else."""
    if not (f.is_squared and f.is_multitask) or f.data[1].ndim != 2 or _validate.traced(f, penalty, init):
        return None
    found = coefficient_part(f, penalty, init)
    if found is None:
        return None
    part, intercept = found
    weights = lasso_weights(part, (init["coef"] if intercept else init).shape)
    return None if weights is None else Tasks(part, weights, intercept)


def lasso_weights(part: Leafwise, shape: tuple[int, ...]) -> np.ndarray | None:
    """k where the penalty is Σ k |x| with every k > 0, perhaps infinite; None for any other and for many features."""
    served = part.elementwise and part.gauge and part.even and part.convex and part.centred and not part.composed
    if not served or shape[-1] > _MOST:
        return None
    weights = np.asarray(part.leaf_terms(jnp.ones(shape)))
    return weights if weights.shape == shape and (weights > 0).all() else None


def by_knots(lassos: Lassos, part: Leafwise, weights: np.ndarray, strengths: np.ndarray) -> tuple[Any, ...]:
    """Coefficients (F, L, *weights.shape), objectives, relative gaps and steps, of which it takes none, (F, L)."""
    q = lassos.cross.shape[-1]
    count = np.asarray(lassos.counts)[..., None]
    own = np.where(count > 0, weights / np.where(count > 0, count, 1), np.inf).astype(lassos.cross.dtype)
    padded = np.concatenate([block for _, block in blocks(strengths)])
    matrix, cross = _one_by_one(lassos)
    coef = lasso_paths(matrix, cross, own.reshape(-1, q), padded)
    coef, value, gap = _judged(lassos, part, coef, strengths, weights.shape)
    return coef, value, gap, np.zeros(gap.shape, np.int32)


@jax.jit
def _one_by_one(lassos: Lassos) -> tuple[Array, Array]:
    q = lassos.cross.shape[-1]
    return lassos.matrix.reshape(-1, q, q), lassos.cross.reshape(-1, q)


@partial(jax.jit, static_argnames="shape")
def _judged(
    lassos: Lassos, part: Leafwise, coef: Array, strengths: Array, shape: tuple[int, ...]
) -> tuple[Array, Array, Array]:
    """Coefficients in their place, objectives and gaps.

    The penalty acts on coefficients of this shape, with an axis of tasks or without.
    """
    lanes, tasks, q = lassos.cross.shape
    coef = coef[:, : len(strengths)].reshape(lanes, tasks, len(strengths), q)
    coef = jnp.swapaxes(coef, 1, 2)

    def lane(one: Lassos, coef: Array) -> tuple[Array, Array]:
        grads = einsum("ltp,tpq->ltq", coef, one.matrix) - one.cross[None]
        residuals = jnp.maximum(jnp.sum(coef * (grads - one.cross[None]), -1) + one.square[None], 0.0)
        total, grads = jnp.sum(one.counts[None] * residuals, -1), one.counts[None, :, None] * grads

        def cell(w: Array, grad: Array, residual: Array, s: Array) -> tuple[Array, Array]:
            g, w, grad = weighed(s, part), w.reshape(shape), grad.reshape(shape)
            return 0.5 * residual + g.leaf_value(w), squared_gap(g, w, grad, residual, one.refs)

        return jax.vmap(cell)(coef, grads, total, strengths)

    return coef.reshape(*coef.shape[:2], *shape), *jax.vmap(lane)(lassos, coef)


def by_task_moments(
    risk: Risk | MultitaskRisk,
    data: Data,
    weights: Array,
    masks: np.ndarray | None,
    order: np.ndarray | None,
    vector: Tasks,
    strengths: np.ndarray,
) -> tuple[Solution, Array | None]:
    """Fit all tasks of all lanes over all strengths; held-out scores (K, L) of the folds."""
    lassos, held, means = _task_lassos(risk, data, weights, masks, order, vector.intercept)
    coef, *certified = by_knots(lassos, vector.part, vector.weights, strengths)
    params, errors = results(held, *means, coef, vector.intercept)
    return solution(params, *certified), None if held is None else _risks(risk, held.weight, errors)


@partial(jax.jit, static_argnames="intercept")
def _task_lassos(
    risk: Risk | MultitaskRisk, data: Data, weights: Array, masks: Any, order: Any, intercept: bool
) -> tuple[Lassos, Moments | None, tuple[Array, Array]]:
    held, stats = statistics(data, weights, masks, order, True)
    counts = counts_of(risk, stats.weight)
    matrix, cross, square = stats.gram(centre=intercept)
    tiny = jnp.finfo(cross.dtype).tiny
    zero = 0.5 * jnp.sum(counts * square, -1)
    pulls = jnp.max(jnp.abs(counts[..., None] * stats.gram(centre=False)[1]), (-2, -1))
    refs = Reference(jnp.maximum(zero, tiny), jnp.maximum(pulls, tiny))
    return Lassos(matrix, cross, square, counts, refs), held, (stats.x_mean, stats.y_mean)


@jax.jit
def _risks(risk: Risk | MultitaskRisk, weight: Array, errors: Array) -> Array:
    """The risk of every fold's held-out rows, from each task's errors (K, L, T)."""
    return jnp.sum(counts_of(risk, weight)[:, None] * errors, -1)
