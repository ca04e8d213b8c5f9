"""Many fits at once: lanes (samples that differ by their weights) times strengths, warm-started from strong to weak."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxreg import _tree
from jaxreg._typing import Array, Data, PyTree
from jaxreg.moments import Moments, fold_moments, joined, left_out, moments
from jaxreg.paths._blocks import Lanes
from jaxreg.penalties import Penalty
from jaxreg.risk import MultitaskRisk, Risk, sound, summed
from jaxreg.solvers._loop import Solution, Solver, run
from jaxreg.solvers._problem import Smooth, bind
from jaxreg.solvers._reduce import coefficients, from_moments, is_tall, restorer
from jaxreg.solvers.minimize import solve


def way_of(f: Smooth, g: Penalty, init: PyTree) -> str:
    """`moments` for tall least squares, `rows` for wide least squares, `generic` for everything else."""
    if not f.is_squared or coefficients(f, g, init) is None:
        return "generic"
    return "moments" if is_tall(f) else "rows"


@partial(jax.jit, static_argnames=("way", "max_steps"))
def fit_lanes(
    risk: Risk | MultitaskRisk,
    penalty: Penalty,
    solver: Solver,
    data: Data,
    weights: Array,
    masks: Array | None,
    order: Array | None,
    strengths: Array,
    init: PyTree,
    tol: Array,
    way: str,
    max_steps: int,
) -> Lanes:
    """Fit every fold's training rows and the whole sample over all strengths.

    `masks` (K, ...) marks held-out rows, None for no folds; `order` as in `fold_moments`.
    """
    if way == "moments":
        return _by_moments(risk, penalty, solver, data, weights, masks, order, strengths, init, tol, max_steps)
    lanes = weights[None]
    if masks is not None:
        lanes = jnp.concatenate([weights[None] * (1 - masks.astype(weights.dtype)), lanes])

    def one(w: Array) -> Solution:
        return along(bind(risk, data, w), penalty, solver, strengths, init, tol, max_steps)

    fits = jax.lax.map(one, lanes) if way == "rows" else jax.vmap(one)(lanes)
    if masks is None:
        return Lanes(fits, None)

    def score(params: PyTree, mask: Array) -> Array:
        held = weights * mask.astype(weights.dtype)
        return jax.vmap(lambda p: risk(p, data, held))(params)

    folds = jax.tree.map(lambda x: x[:-1], fits.params)
    return Lanes(fits, jax.lax.map(lambda pair: score(*pair), (folds, masks)))


def along(
    f: Smooth, penalty: Penalty, solver: Solver, strengths: Array, init: PyTree, tol: Array, max_steps: int
) -> Solution:
    """One path: each strength starts from the solution of the one before."""

    def step(x: PyTree, s: Array) -> tuple[PyTree, Solution]:
        fit = solve(f, s * penalty, solver, x, tol, max_steps)
        return _usable(fit.params, x), fit

    return jax.lax.scan(step, init, strengths)[1]


def _usable(new: PyTree, old: PyTree) -> PyTree:
    return _tree.where(_tree.all_finite(new), new, old)


def _by_moments(
    risk: Risk | MultitaskRisk,
    penalty: Penalty,
    solver: Solver,
    data: Data,
    weights: Array,
    masks: Array | None,
    order: Array | None,
    strengths: Array,
    init: PyTree,
    tol: Array,
    max_steps: int,
) -> Lanes:
    found = coefficients(bind(risk, data, weights), penalty, init)
    assert found is not None
    small, part, start, intercept = found
    held, stats = statistics(data, weights, masks, order, isinstance(risk, MultitaskRisk))
    counts = counts_of(risk, stats.weight)

    def one(m: Moments, weight: Array) -> Solution:
        f = from_moments(small, m, weight, intercept)
        restore = restorer(m.x_mean, m.y_mean, intercept)
        square = m.gram(centre=intercept)[2]
        zero = 0.5 * jnp.sum(jnp.reshape(weight, weight.shape + (1,) * (square.ndim - weight.ndim)) * square)
        scale = jnp.maximum(zero, jnp.finfo(zero.dtype).tiny)

        def step(x: PyTree, s: Array) -> tuple[PyTree, Solution]:
            fit = run(f, s * part, solver, x, tol, max_steps, scale)
            return _usable(fit.params, x), fit

        fits = jax.lax.scan(step, start, strengths)[1]
        return Solution(jax.vmap(restore)(fits.params), fits.value, fits.gap, fits.steps, fits.status)

    fits = jax.vmap(one)(stats, counts)
    if held is None:
        return Lanes(fits, None)

    def score(m: Moments, params: PyTree) -> Array:
        errors = m.squared_error(summed(params), params["intercept"] if intercept else jnp.zeros_like(m.y_mean))
        return 0.5 * jnp.sum(counts_of(risk, m.weight) * errors)

    folds = jax.tree.map(lambda x: x[:-1], fits.params)
    return Lanes(fits, jax.vmap(lambda m, p: jax.vmap(lambda q: score(m, q))(p))(held, folds))


def statistics(
    data: Data, weights: Array, masks: Array | None, order: Array | None, tasks: bool
) -> tuple[Moments | None, Moments]:
    """Moments of each fold's held-out rows, and of the training rows of every lane, the last one of all rows."""
    weights = sound(weights)
    held = None if masks is None else _held_out(data, weights, masks, order, tasks)
    total = _whole(data, weights, held, order, tasks)
    return held, jax.tree.map(lambda x: x[None], total) if held is None else left_out(total, held)


def _held_out(data: Data, weights: Array, masks: Array, order: Array | None, tasks: bool) -> Moments:
    X, y = data
    if not tasks:
        return fold_moments(X, y, weights, masks, order)
    take = jax.vmap(lambda X, y, w, m: fold_moments(X, y, w, m, None), in_axes=(0, 0, 0, 1), out_axes=1)
    return take(X, y, weights, masks)


def _whole(data: Data, weights: Array, held: Moments | None, order: Array | None, tasks: bool) -> Moments:
    """The moments of all rows: the sum over folds where every row is held out exactly once."""
    if held is not None and order is not None:
        return joined(held)
    return (jax.vmap(moments) if tasks else moments)(*data, weights)


def counts_of(risk: Any, weight: Array) -> Array:
    """What each sample counts for in the risk: its task weight, 0 where it is empty, NaN where its weight is."""
    present = jnp.where(jnp.isnan(weight), weight, (weight > 0).astype(weight.dtype))
    if not isinstance(risk, MultitaskRisk) or risk.task_weights is None:
        return present
    return present * jnp.broadcast_to(jnp.asarray(risk.task_weights, weight.dtype), weight.shape)
