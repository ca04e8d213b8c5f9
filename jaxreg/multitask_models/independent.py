"""Tasks apart, tasks as one, and the way between them."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from jaxreg.multitask_models._model import TaskModel, model, plus, strength
from jaxreg.penalties import L1, L2, Penalty, Ridge, ToMean


def independent(penalty: Penalty, *, intercept: bool = True) -> TaskModel:
    """Every task by itself, Σₜ fₜ(wₜ) + g(wₜ), with `penalty` g such as `0.1 * Ridge()` or `0.1 * L1()`.

    >>> import jaxreg as jr
    >>> jr.multitask_models.independent(0.1 * jr.L1()).penalty
    0.1 * L1()
    """
    return model(penalty, intercept)


def elastic_net(lasso: Any, ridge: Any, *, intercept: bool = True) -> TaskModel:
    """Every task by itself with lasso ‖wₜ‖₁ + ridge/2 ‖wₜ‖² (Zou and Hastie 2005).

    >>> import jaxreg as jr
    >>> jr.multitask_models.elastic_net(0.1, 0.2).penalty
    0.1 * L1() + 0.2 * Ridge()
    """
    return model(strength("lasso", lasso) * L1() + strength("ridge", ridge) * Ridge(), intercept)


def pooled(penalty: Penalty, *, intercept: bool = True) -> TaskModel:
    """One vector for all tasks, Σₜ fₜ(w) + g(w); with `intercept` every task still has its own level.

    >>> import jaxreg as jr
    >>> jr.multitask_models.pooled(0.1 * jr.Ridge()).axes
    {'common': None, 'intercept': 0}
    """
    return model(penalty, intercept, common=False)


def mean_regularised(to_mean: Any, ridge: Any = 0.0, *, intercept: bool = True) -> TaskModel:
    """Tasks near their mean, to_mean/2 Σₜ ‖wₜ - w̄‖² + ridge/2 Σₜ ‖wₜ‖² (Evgeniou and Pontil 2004).

    From independent ridge at to_mean = 0 to one vector for all as it grows.

    >>> import jaxreg as jr
    >>> jr.multitask_models.mean_regularised(1.0, 0.1).penalty
    1.0 * ToMean() + 0.1 * Ridge()
    """
    return model(plus(strength("to_mean", to_mean) * ToMean(axis=0), "ridge", ridge, Ridge()), intercept)


def common_and_own(common: Any, own: Any, *, intercept: bool = True) -> TaskModel:
    """wₜ = common + ownₜ with common/2 ‖u‖² + own/2 Σₜ ‖vₜ‖² (Evgeniou and Pontil 2004).

    >>> import jaxreg as jr
    >>> jr.multitask_models.common_and_own(0.1, 1.0).axes
    {'common': None, 'own': 0, 'intercept': 0}
    """
    penalty = strength("common", common) * Ridge().on("common") + strength("own", own) * Ridge().on("own")
    return model(penalty, intercept, common=False, own=True)


def adaptive(own: Any, *, intercept: bool = True) -> TaskModel:
    """wₜ = common + ownₜ with Σₜ ownₜ ‖vₜ‖ and a free common part: most tasks are the common one (Duan and Wang 2023).

    `own` is a number or one per task. Their rule C √(d/nₜ) is `adaptive_strengths`. The paper weighs tasks by nₜ,
    penalty included: with `task_weights=T.counts` the same strengths are nₜ C √(d/nₜ).

    >>> import numpy as np, jaxreg as jr
    >>> jr.multitask_models.adaptive(0.5).penalty
    0.5 * L2(axis=1).on('own')
    >>> T = jr.tasks([(np.eye(4), np.ones(4)), (np.eye(4)[:1], np.ones(1))])
    >>> own = jr.adaptive_strengths(T.weights, features=4)
    >>> own.tolist(), (T.counts * own).tolist()
    ([1.0, 2.0], [4.0, 2.0])
    >>> fit = jr.fit_tasks(jr.multitask_models.adaptive(T.counts * own), T, task_weights=T.counts)
    >>> fit.parts["own"].tolist() == [[0.0] * 4] * 2
    True
    """
    return model(_per_task(strength("own", own)) * L2(axis=1).on("own"), intercept, common=False, own=True)


def _per_task(value: Any) -> Any:
    made = jnp.asarray(value)
    return made[:, None] if made.ndim == 1 else value
