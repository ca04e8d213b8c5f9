"""Fitting a named multi-task model in one call."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg import _validate
from jaxreg._typing import Array, ArrayLike, PyTree
from jaxreg.fitted import FittedTasks
from jaxreg.losses import Loss
from jaxreg.multitask_models import FactorModel, Stages, TaskModel
from jaxreg.solvers import PANOC, minimize
from jaxreg.solvers._loop import Solver
from jaxreg.solvers.minimize import OnFail
from jaxreg.tasks import Tasks


def fit_tasks(
    model: TaskModel | FactorModel | Stages,
    tasks: Tasks,
    loss: Loss | None = None,
    *,
    standardise: bool = False,
    task_weights: ArrayLike | None = None,
    solver: Solver | Literal["auto"] | None = None,
    tol: ArrayLike = 1e-6,
    max_steps: int = 10_000,
    init: PyTree | FittedTasks | None = None,
    key: Array | None = None,
    names: Sequence[str] | None = None,
    on_fail: OnFail = "warn",
) -> FittedTasks:
    """Fit a named multi-task model to tasks and keep what predicts: min Σₜ vₜ fₜ(wₜ) + penalty(W).

    `model` is one of `jaxreg.multitask_models`, `loss` defaults to `Squared()`. With `standardise` features are scaled
    to mean 0 and standard deviation 1 over all rows before the fit, and the result still predicts on raw features. A
    `FactorModel` needs a `key` or an `init` and is solved by `PANOC()` unless told otherwise. `init` are parameters
    in the form of `model.init`, or a fit of the same parts, in units of the features as they are fitted; `names` are
    the features'. Solver and the rest are as in `minimize`, for `Stages` in each of them. Warns where squared errors
    have units so far apart that `tol`, a part of the sum over tasks, is more than the whole of some task's. Raises
    ValueError for an `init` without a part that the model has.

    >>> import numpy as np, jaxreg as jr
    >>> X = np.array([[0, 1], [1, 0], [2, 2]], "float32")
    >>> T = jr.tasks([(X, X[:, 0]), (X, X[:, 0] + 1)])
    >>> fit = jr.fit_tasks(jr.multitask_models.mean_regularised(10.0), T)
    >>> fit.predict(X, 1).round(1).tolist(), fit.predict_new(X).round(1).tolist()
    ([1.0, 2.0, 3.0], [0.5, 1.5, 2.5])
    """
    center, scale = _moments(tasks) if standardise else (None, None)
    X, y = tasks.data
    if center is not None and scale is not None:
        X = (X - center[None, None]) / scale[None, None]
    given = Tasks((X, y), tasks.weights, tasks.ids)
    how: dict[str, Any] = {"solver": solver, "tol": tol, "max_steps": max_steps, "on_fail": on_fail}
    about: dict[str, Any] = {"center": center, "scale": scale, "loss": loss, "names": names}
    start = _start(model, given, key, init)
    if isinstance(model, Stages):
        staged = model.fit(given, loss, task_weights, init=start, **how)
        return FittedTasks.of(staged.model, staged.fit, given, **about)
    if solver is None and isinstance(model, FactorModel):
        how["solver"] = PANOC()
    risk = model.risk(loss, task_weights)
    if risk.loss.quadratic:
        _tell_of_units(given, risk.row_weights(given.data, given.weights), tol)
    solution = minimize(risk, model.penalty, start, given.data, given.weights, **how)
    return FittedTasks.of(model, solution, given, **about)


def _tell_of_units(tasks: Tasks, rows: Array, tol: ArrayLike) -> None:
    """Warn of tasks about which a certificate of the sum says nothing."""
    if _validate.traced(tasks, rows, tol):
        return
    w, y = np.asarray(rows), np.where(np.asarray(rows) > 0, np.asarray(tasks.data[1]), 0)
    level = np.sum(w * y, 1) / np.where(w.any(1), w.sum(1), 1)
    spread = np.sum(w * np.square(y - level[:, None]), 1)
    varies = spread > np.finfo(y.dtype).eps * np.sum(w * np.square(y), 1)
    lost = [str(tasks.ids[t]) for t in np.flatnonzero(varies & (spread < tol * np.sum(spread)))]
    if lost:
        warnings.warn(
            f"fit_tasks: tol={float(tol):g} of the whole objective is more than all that the targets of task(s) "
            f"{', '.join(lost[:3])}{' and others' * (len(lost) > 3)} vary, so far apart are the tasks' units: these "
            "fits are not certified. Divide each task's targets by their standard deviation.",
            UserWarning,
            stacklevel=3,
        )


def _start(model: TaskModel | FactorModel | Stages, tasks: Tasks, key: Array | None, init: Any) -> PyTree:
    if init is not None and not isinstance(init, FittedTasks):
        return init
    if isinstance(model, FactorModel):
        if key is None and init is None:
            raise ValueError("fit_tasks: factors start at random: give key=jax.random.key(0), or another.")
        form = model.init(tasks.data, jax.random.key(0) if key is None else key)
    else:
        form = (model.linear if isinstance(model, Stages) else model).init(tasks.data)
    return form if init is None else _resumed(form, init)


def _resumed(form: PyTree, fit: FittedTasks) -> PyTree:
    """A fit's parameters in the form given."""
    if not isinstance(form, dict):
        return fit.coef
    held = {"coef": fit.coef, "intercept": fit.intercept, **fit.parts}
    missing = sorted(form.keys() - held.keys())
    if missing:
        raise ValueError(f"fit_tasks: init has no {missing[0]!r}, which the model is made of; it has {sorted(held)}.")
    return {name: held[name] for name in form}


def _moments(tasks: Tasks) -> tuple[Array, Array]:
    """Weighted means and standard deviations over the rows of all tasks, 1 where a feature is constant."""
    X, w = tasks.data[0], tasks.weights[..., None]
    seen = jnp.where(w > 0, X, 0.0)
    center = jnp.sum(w * seen, (0, 1)) / jnp.sum(w)
    apart = jnp.where(w > 0, X - center[None, None], 0.0)
    scale = jnp.sqrt(jnp.sum(w * jnp.square(apart), (0, 1)) / jnp.sum(w))
    flat = scale <= 64 * jnp.finfo(scale.dtype).eps * jnp.maximum(jnp.abs(center), jnp.finfo(scale.dtype).tiny)
    return center, jnp.where(flat, 1.0, scale)
