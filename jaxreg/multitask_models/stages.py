"""Concave penalties of a feature's coefficients by stages: each a convex fit with strengths from the one before.

g(W) = Σⱼ φ(‖wⱼ‖₁) with φ concave is at most its tangent, so that a stage with strengths φ'(‖wⱼ‖₁) per feature never
raises the objective (Zhang 2010; Gong, Ye and Zhang 2013).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax.numpy as jnp

from jaxreg._pytree import pytree, static
from jaxreg._typing import Array, ArrayLike, PyTree
from jaxreg.losses import Loss
from jaxreg.multitask_models._model import TaskModel, dtype_of, model, positive, strength
from jaxreg.penalties import L1
from jaxreg.solvers import Solution, minimize
from jaxreg.solvers._loop import Solver
from jaxreg.solvers.minimize import OnFail
from jaxreg.tasks import Tasks

_KINDS: dict[str, tuple[Callable[..., Array], Callable[..., Array]]] = {
    "capped": (lambda n, at: jnp.minimum(n, at), lambda n, at: jnp.where(n < at, 1.0, 0.0)),
    "root": (lambda n, at: jnp.sqrt(n + at), lambda n, at: 0.5 / jnp.sqrt(n + at)),
}


class Staged(NamedTuple):
    """The last stage's model and certified fit, and the concave objective after every stage."""

    model: TaskModel
    fit: Solution
    objective: Array


@pytree
class Stages:
    """A concave penalty strength Σⱼ φ(‖wⱼ‖₁), fitted by `fit` in stages of weighted lassos."""

    strength: Any
    at: Any
    kind: str = static(default="capped")
    intercept: bool = static(default=True)

    @property
    def linear(self) -> TaskModel:
        """The linear model that is fitted; its penalty is the first stage's, up to the strengths of features."""
        return model(L1(), self.intercept)

    def fit(
        self,
        tasks: Tasks,
        loss: Loss | None = None,
        task_weights: ArrayLike | None = None,
        *,
        stages: int = 10,
        init: PyTree | None = None,
        solver: Solver | Literal["auto"] | None = None,
        tol: ArrayLike = 1e-6,
        max_steps: int = 10_000,
        on_fail: OnFail = "warn",
    ) -> Staged:
        """Fit all stages, the first of them the lasso with slope φ' at `init`, by default at 0.

        Solver and the rest are as in `minimize`, for every stage. Raises ValueError for fewer than one stage.
        """
        if stages < 1:
            raise ValueError(f"Stages.fit: stages is {stages}, expected 1 or more.")
        plain = self.linear
        how: dict[str, Any] = {"solver": solver, "tol": tol, "max_steps": max_steps, "on_fail": on_fail}
        risk, params = plain.risk(loss, task_weights), plain.init(tasks.data) if init is None else init
        dtype, objective = dtype_of(params), []
        for _ in range(stages):
            weights = self.weights(plain.coef(params["coef"] if self.intercept else params)).astype(dtype)
            stage = model(weights * L1(), self.intercept)
            fit = minimize(risk, stage.penalty, params, tasks.data, tasks.weights, **how)
            params = fit.params
            objective.append(risk(params, tasks.data, tasks.weights) + self.value(params))
        return Staged(stage, fit, jnp.stack(objective))

    def weights(self, coef: Array) -> Array:
        """The strength of every feature, (1, features), where the tangent touches at `coef` (tasks, features)."""
        size = jnp.sum(jnp.abs(coef), 0, keepdims=True)
        return jnp.asarray(self.strength) * _KINDS[self.kind][1](size, jnp.asarray(self.at))

    def value(self, params: PyTree) -> Array:
        """strength Σⱼ φ(‖wⱼ‖₁)."""
        coef = params["coef"] if isinstance(params, dict) else params
        size = jnp.sum(jnp.abs(coef), 0)
        return jnp.asarray(self.strength) * jnp.sum(_KINDS[self.kind][0](size, jnp.asarray(self.at)))


def capped_features(strength_: Any, at: Any, *, intercept: bool = True) -> Stages:
    """Capped-L1 of features over tasks, strength Σⱼ min(‖wⱼ‖₁, at): multi-stage feature learning (Gong et al. 2013).

    A feature beyond the cap is not shrunk any more, which takes away the lasso's bias.

    >>> import numpy as np, jaxreg as jr
    >>> T = jr.tasks([(np.eye(3), np.array([9.0, 0.1, 0.0]))] * 2)
    >>> done = jr.multitask_models.capped_features(0.3, 1.0, intercept=False).fit(T)
    >>> done.fit.params[0].round(2).tolist()
    [9.0, 0.0, 0.0]
    """
    return Stages(strength("strength", strength_), strength("at", at), "capped", intercept)


def root_features(strength_: Any, epsilon: Any = 1e-3, *, intercept: bool = True) -> Stages:
    """The root of features over tasks, strength Σⱼ (‖wⱼ‖₁ + ε)^½, by reweighting (Candès, Wakin and Boyd 2008).

    Raises ValueError unless ε > 0: the root's slope at 0 is infinite, and the first stage would exclude everything.

    >>> import jaxreg as jr
    >>> jr.multitask_models.root_features(0.3).kind
    'root'
    """
    return Stages(strength("strength", strength_), positive("epsilon", epsilon), "root", intercept)


def multi_level(features: Any, entries: Any, epsilon: Any = 1e-3, *, intercept: bool = True) -> Stages:
    """The multi-level lasso: wₜⱼ = θⱼ γₜⱼ with features Σ|θⱼ| + entries Σ|γₜⱼ| (Lozano and Swirszcz 2012).

    Minimised over θ and γ of given products it is 2 √(features·entries) Σⱼ ‖wⱼ‖₁^½, which is `root_features`.

    >>> import jaxreg as jr
    >>> float(jr.multitask_models.multi_level(0.25, 0.25).strength)
    0.5
    """
    product = jnp.asarray(strength("features", features)) * jnp.asarray(strength("entries", entries))
    return root_features(2 * jnp.sqrt(product), epsilon, intercept=intercept)
