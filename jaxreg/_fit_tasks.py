"""Fitting a named multi-task model in one call."""

from __future__ import annotations

from typing import Any, Literal

import jax.numpy as jnp

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
    key: Array | None = None,
    on_fail: OnFail = "warn",
) -> FittedTasks:
    """Fit a named multi-task model to tasks and keep what predicts: min Σₜ vₜ fₜ(wₜ) + penalty(W).

    `model` is one of `jaxreg.multitask_models`, `loss` defaults to `Squared()`. With `standardise` features are scaled
    to mean 0 and standard deviation 1 over all rows before the fit, and the result still predicts on raw features. A
    `FactorModel` needs a `key` and is solved by `PANOC()` unless told otherwise. Solver and the rest are as in
    `minimize`, for `Stages` in each of them.

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
    if isinstance(model, Stages):
        staged = model.fit(given, loss, task_weights, **how)
        return FittedTasks.of(staged.model, staged.fit, given, center=center, scale=scale, loss=loss)
    if solver is None and isinstance(model, FactorModel):
        how["solver"] = PANOC()
    risk = model.risk(loss, task_weights)
    solution = minimize(risk, model.penalty, _start(model, given, key), given.data, given.weights, **how)
    return FittedTasks.of(model, solution, given, center=center, scale=scale, loss=loss)


def _start(model: TaskModel | FactorModel, tasks: Tasks, key: Array | None) -> PyTree:
    if not isinstance(model, FactorModel):
        return model.init(tasks.data)
    if key is None:
        raise ValueError("fit_tasks: factors start at random: give key=jax.random.key(0), or another.")
    return model.init(tasks.data, key)


def _moments(tasks: Tasks) -> tuple[Array, Array]:
    """Weighted means and standard deviations over the rows of all tasks, 1 where a feature is constant."""
    X, w = tasks.data[0], tasks.weights[..., None]
    seen = jnp.where(w > 0, X, 0.0)
    center = jnp.sum(w * seen, (0, 1)) / jnp.sum(w)
    apart = jnp.where(w > 0, X - center[None, None], 0.0)
    scale = jnp.sqrt(jnp.sum(w * jnp.square(apart), (0, 1)) / jnp.sum(w))
    flat = scale <= 64 * jnp.finfo(scale.dtype).eps * jnp.maximum(jnp.abs(center), jnp.finfo(scale.dtype).tiny)
    return center, jnp.where(flat, 1.0, scale)
