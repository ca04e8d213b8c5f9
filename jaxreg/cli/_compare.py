"""The comparison: every method cross-validated on the same folds, judged on the same held-out rows."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxreg as jr
from jaxreg.cli._clock import Clock
from jaxreg.cli._methods import LOSSES, Method, Setup, methods, setup
from jaxreg.cli._problem import Problem

RATIO = 1e-4


@dataclass(frozen=True, eq=False)
class Result:
    """A method's numbers. Errors are mean losses (mean squared errors for squared loss) in the units of the fit.

    `coef` (T, p) and `intercept` (T,) are in original units at the best strength; `standardised` (T, p) is the same
    fit in the units of the fit, `path` (L, T, p) the fits along the path; `test_losses` has one array per task.
    """

    method: Method
    strengths: np.ndarray
    mean: np.ndarray
    error: np.ndarray
    gap: np.ndarray
    unconverged: int
    best: int
    one_se: int
    coef: np.ndarray
    intercept: np.ndarray
    standardised: np.ndarray
    path: np.ndarray
    test_losses: list[np.ndarray]
    test_losses_one_se: list[np.ndarray]
    counted: int
    counted_one_se: int
    fits: int
    compile_seconds: float
    run_seconds: float

    @property
    def test(self) -> float:
        """Mean loss over all held-out rows at the best strength."""
        return float(np.mean(np.concatenate(self.test_losses)))

    @property
    def test_one_se(self) -> float:
        """Mean loss over all held-out rows at the one-standard-error strength."""
        return float(np.mean(np.concatenate(self.test_losses_one_se)))


def compare(problem: Problem, strengths: int, progress: Callable[[str], AbstractContextManager[Any]]) -> list[Result]:
    """Every method that suits the problem; `progress(name)` surrounds each."""
    found: list[Result] = []
    for method in methods(len(problem.ids)):
        given = setup(method, problem)
        grid = _grid(method, found, strengths)
        with progress(method.name), Clock() as clock:
            cv = jr.cross_validate(
                given.risk,
                method.penalty,
                given.data,
                weights=given.weights,
                folds=given.folds,
                init=jr.linear_params(given.data),
                scoring=_Score(given.risk, problem.loss),
                on_fail="ignore",
                **grid,
            )
            jax.block_until_ready(cv)
        found.append(_result(method, problem, given, cv, clock))
    return found


def _grid(method: Method, found: list[Result], num: int) -> dict[str, Any]:
    """Ridge-like penalties keep their default range; the elastic net starts where its L1 half excludes everything."""
    if method.name == "elastic net":
        lasso = next(r for r in found if r.method.name.endswith("lasso"))
        return {"strengths": 2 * lasso.strengths}
    return {"num": num, "ratio": None if _smooth(method) else RATIO}


def _smooth(method: Method) -> bool:
    return isinstance(method.penalty, (jr.Ridge, jr.ToMean))


@dataclass(frozen=True)
class _Score:
    """Mean loss over the held-out rows of all tasks; the mean squared error for squared loss."""

    risk: Any
    loss: str

    def __call__(self, params: Any, data: Any, weights: Any) -> Any:
        losses = self.risk.losses(self.risk.predictions(params, data), data)
        return _times(self.loss) * jnp.sum(weights * losses) / jnp.sum(weights)


def _times(loss: str) -> float:
    return 2.0 if loss == "squared" else 1.0


def _result(method: Method, problem: Problem, given: Setup, cv: Any, clock: Clock) -> Result:
    path = jax.tree.map(np.asarray, cv.path.params)
    tasks, single = len(problem.ids), path["coef"].ndim == 2
    coefs = np.repeat(path["coef"][:, None], tasks, 1) if single else path["coef"]
    intercepts = np.repeat(path["intercept"][:, None], tasks, 1) if single else path["intercept"]
    best, one_se = int(cv.best), int(cv.one_se)
    coef, intercept = original(problem, coefs[best], intercepts[best])
    strengths = np.asarray(cv.strengths)
    return Result(
        method=method,
        strengths=strengths,
        mean=np.asarray(cv.mean),
        error=np.asarray(cv.standard_error),
        gap=np.concatenate([np.asarray(cv.gap), np.asarray(cv.path.gap)[None]]),
        unconverged=int((np.asarray(cv.status) != 0).sum() + (np.asarray(cv.path.status) != 0).sum()),
        best=best,
        one_se=one_se,
        coef=coef,
        intercept=intercept,
        standardised=coefs[best],
        path=coefs,
        test_losses=held_out_losses(problem, coef, intercept),
        test_losses_one_se=held_out_losses(problem, *original(problem, coefs[one_se], intercepts[one_se])),
        counted=_count(method, path["coef"][best]),
        counted_one_se=_count(method, path["coef"][one_se]),
        fits=len(strengths) * (len(given.folds) + 1) * (1 if single else tasks),
        compile_seconds=clock.compile,
        run_seconds=clock.run,
    )


def _count(method: Method, coef: np.ndarray) -> int:
    if method.counts == "nonzeros":
        return int(np.count_nonzero(coef))
    values = np.linalg.svd(coef, compute_uv=False)
    return int((values > 1e3 * np.finfo(coef.dtype).eps * max(values[0], np.finfo(coef.dtype).tiny)).sum())


def original(problem: Problem, coef: np.ndarray, intercept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (T, p) and intercepts (T,) for the table's own units."""
    slope = coef / problem.scale
    moved = intercept - slope @ problem.mean
    return slope * problem.unit[:, None], moved * problem.unit + problem.shift


def held_out_losses(problem: Problem, coef: np.ndarray, intercept: np.ndarray) -> list[np.ndarray]:
    """The loss of every held-out row, one array per task, in the units of the fit."""
    out = []
    for t, (X, y) in enumerate(problem.test):
        shift, unit = problem.shift[t], problem.unit[t]
        predicted = (X @ coef[t] + intercept[t] - shift) / unit
        losses = LOSSES[problem.loss](jnp.asarray(predicted), jnp.asarray((y - shift) / unit))
        out.append(_times(problem.loss) * np.asarray(losses))
    return out
