"""Strengths by gradient descent on a held-out risk, through the implicit derivative of the fit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg import _tree, _validate
from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike, Data, PyTree
from jaxreg.penalties import Penalty
from jaxreg.penalties._strengths import STRENGTHS, strengths_of, with_strengths
from jaxreg.risk import MultitaskRisk, Risk
from jaxreg.selection.folds import fold_masks
from jaxreg.solvers._loop import Solver
from jaxreg.solvers._problem import bind
from jaxreg.solvers.minimize import OnFail, choose, fit_one, prepare, report, solve
from jaxreg.transforms._descent import adam

Scoring = Callable[[PyTree, Data, Array], Array]


@pytree
class Tuned:
    """What `tune` found: the penalty with its best strengths, the parameters fitted with it, and how it came there.

    Of S steps: `scores` (S,) are the held-out risks, `strengths` a dictionary from the leaf's name to its values
    (S, ...), `gap` and `status` those of the fits, (S,), or (S, K) for K folds; `best` is the step of least score.
    """

    penalty: Any
    params: Any
    scores: Array
    strengths: dict[str, Array]
    best: Array
    gap: Array
    status: Array


class _Held(NamedTuple):
    """Rows to fit and rows to score, their weights with a leading axis of folds, of which there is one or more."""

    fit: Data
    score: Data
    fit_weights: Array
    score_weights: Array


def tune(
    risk: Risk | MultitaskRisk,
    penalty: Penalty,
    data: Data,
    valid: Data | None = None,
    *,
    folds: Any = None,
    weights: ArrayLike | None = None,
    valid_weights: ArrayLike | None = None,
    only: str = STRENGTHS,
    init: PyTree | None = None,
    solver: Solver | Literal["auto"] | None = None,
    optimizer: Any = None,
    steps: int = 50,
    tol: ArrayLike = 1e-6,
    max_steps: int = 10_000,
    key: Array | None = None,
    scoring: Scoring | None = None,
    on_fail: OnFail = "warn",
) -> Tuned:
    """Descend a held-out risk in the logarithms of a penalty's strengths, from those it has.

    With s = exp(a) and w(s) = argmin risk(w, data) + g_s(w), a step goes along -∂/∂a risk(w(s), valid), the derivative
    of w that of the fixed point of the prox (Bertrand et al. 2022): a strength per feature, per group, per task or per
    layer costs no more than one. Give rows `valid` to score on, or `folds` as in `cross_validate`, whose mean score is
    descended. The leaves of the penalty that match the glob `only` move, all strengths by default. `optimizer` is an
    optax transformation, adam(0.1) by default; all `steps` are one compiled call that starts each fit at the last one.
    `scoring(params, data, weights)` replaces the risk on held-out rows.

    The result is that of the best step. With `valid` its parameters are fitted to `data`, with `folds` to all rows. A
    strength so large that all it acts on is zero has derivative 0: start below. Many strengths and few held-out rows
    overfit these rows: keep others to judge by.

    Raises TypeError or ValueError for arguments that cannot be used, naming them, such as strengths of 0.

    >>> import numpy as np, jaxreg as jr
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 4)).astype("float32")
    >>> y = X[:, 0] + 0.5 * rng.normal(size=60).astype("float32")
    >>> risk = jr.risk(jr.linear, jr.Squared())
    >>> tuned = jr.tune(risk, np.full(4, 0.05, "float32") * jr.L1(), (X[:30], y[:30]), (X[30:], y[30:]), steps=20)
    >>> bool(tuned.scores[tuned.best] < tuned.scores[0]), tuned.strengths["strength"].shape
    (True, (20, 4))
    """
    where = "tune"
    strengths = strengths_of(where, penalty, only)
    _check(where, valid, folds, steps, optimizer)
    data, w, penalty, init = prepare(where, risk, penalty, init, data, weights)
    strengths = _tree.cast(strengths, w.dtype)
    held = _folded(where, data, w, folds, key) if valid is None else _apart(where, risk, data, w, valid, valid_weights)
    tol = _validate.number(where, "tol", tol, w.dtype, low=0.0)
    chosen = choose(bind(risk, data, w), penalty, init, solver)
    rules = (optimizer if optimizer is not None else adam(0.1), scoring, int(steps), int(max_steps))
    logs, params, (scores, values, gap, status) = _descend(rules, risk, penalty, chosen, held, strengths, init, tol)
    penalty = with_strengths(penalty, jax.tree.map(jnp.exp, logs))
    if valid is None:
        whole = fit_one(bind(risk, data, w), penalty, chosen, init, tol, int(max_steps))
        params = whole.params
        report(where, jnp.append(status, whole.status), jnp.append(gap, whole.gap), on_fail)
    else:
        params, gap, status = jax.tree.map(lambda x: x[0], params), gap[:, 0], status[:, 0]
        report(where, status, gap, on_fail)
    best = jnp.argmin(jnp.where(jnp.isnan(scores), jnp.inf, scores))
    return Tuned(penalty, params, scores, values, best, gap, status)


@partial(jax.jit, static_argnums=0)
def _descend(
    rules: tuple[Any, ...],
    risk: Risk | MultitaskRisk,
    penalty: Penalty,
    solver: Solver,
    held: _Held,
    strengths: dict[str, Array],
    init: PyTree,
    tol: Array,
) -> Any:
    optimizer, scoring, steps, max_steps = rules
    measure = risk if scoring is None else scoring

    def one(logs: dict[str, Array], start: PyTree, fit: Array, score: Array) -> Any:
        made = with_strengths(penalty, jax.tree.map(jnp.exp, logs))
        found = solve(bind(risk, held.fit, fit), made, solver, start, tol, max_steps)
        return measure(found.params, held.score, score), (found.params, found.gap, found.status)

    def total(logs: dict[str, Array], start: PyTree) -> Any:
        scores, fits = jax.vmap(one, (None, 0, 0, 0))(logs, start, held.fit_weights, held.score_weights)
        return jnp.mean(scores), fits

    def step(carry: tuple[Any, ...], _: None) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        logs, state, start, best = carry
        (score, (params, gap, status)), slope = jax.value_and_grad(total, has_aux=True)(logs, start)
        best = _tree.where(score < best[0], (score, logs, params), best)
        updates, moved = optimizer.update(slope, state, logs)
        fine = jnp.isfinite(score) & _tree.all_finite(slope)
        new = (_tree.add_scale(logs, 1, updates), moved, params)
        carry = (*_tree.where(fine, new, (logs, state, start)), best)
        return carry, (score, jax.tree.map(jnp.exp, logs), gap, status)

    logs = jax.tree.map(jnp.log, strengths)
    many = jax.tree.map(lambda x: jnp.broadcast_to(x, (len(held.fit_weights), *x.shape)), init)
    worst = jnp.full((), jnp.inf, tol.dtype)
    carry = (logs, optimizer.init(logs), many, (worst, logs, many))
    (*_, (_, logs, params)), history = jax.lax.scan(step, carry, length=steps)
    return logs, params, history


def _folded(where: str, data: Data, weights: Array, folds: Any, key: Array | None) -> _Held:
    """Every fold's rows weigh 0 in the fit, and alone in the score."""
    if _validate.traced(weights, folds):
        raise TypeError(f"{where} chooses folds on the host: call it outside of jit and vmap, or give valid rows.")
    masks = jnp.asarray(fold_masks(where, folds, np.asarray(weights), key), weights.dtype)
    w = jnp.broadcast_to(weights, masks.shape)
    return _Held(data, data, w * (1 - masks), w * masks)


def _apart(where: str, risk: Any, data: Data, weights: Array, valid: Data, valid_weights: Any) -> _Held:
    """The held-out rows given, checked as those of the fit are."""
    tasks = isinstance(risk, MultitaskRisk)
    score, w = _validate.problem(f"{where} (valid)", valid, valid_weights, tasks=tasks, labels=risk.loss.labels)
    _validate.targets(f"{where} (valid)", score[1], w, risk.loss)
    X, y = score
    X, y = _tree.cast(X, weights.dtype), y.astype(weights.dtype) if jnp.issubdtype(y.dtype, jnp.floating) else y
    given, expected = ([x.shape[w.ndim :] for x in jax.tree.leaves(tree)] for tree in (X, data[0]))
    if given != expected:
        raise ValueError(f"{where}: valid has rows of shape {given}, expected {expected} as in data.")
    score, w = (X, y), w.astype(weights.dtype)
    return _Held(data, score, weights[None], w[None])


def _check(where: str, valid: Any, folds: Any, steps: int, optimizer: Any) -> None:
    if (valid is None) == (folds is None):
        raise ValueError(f"{where}: give either valid=(X, y), rows to score on, or folds=, to cut them from the data.")
    if not isinstance(steps, (int, np.integer)) or steps < 1:
        raise ValueError(f"{where}: steps is {steps!r}, expected a number of steps >= 1.")
    if optimizer is not None and not all(callable(getattr(optimizer, name, None)) for name in ("init", "update")):
        raise TypeError(
            f"{where}: optimizer is {optimizer!r}, expected an optax transformation such as optax.sgd(1.0)."
        )
