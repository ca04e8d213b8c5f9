"""The comparison: every method cross-validated on the same folds, judged on the same held-out rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxreg as jr
from jaxreg.cli._clock import Clock
from jaxreg.cli._methods import LOSSES, Method, Setup, fits, setup
from jaxreg.cli._problem import Problem


@dataclass(frozen=True, eq=False)
class Result:
    """A method's numbers. Errors are mean losses (mean squared errors for squared loss) in the units of the fit.

    `coef` (T, p) and `intercept` (T,) are in original units at the best strength; `standardised` (T, p) is the same
    fit in the units of the fit, `path` (L, T, p) the fits along the path; `test_losses` has one array per task. Where
    mixes of two strengths were tried, `mix` is the best and all else but `gap`, `unconverged` and `fits` is of it.
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
    mix: float | None = None

    @property
    def test(self) -> float:
        """Mean loss over all held-out rows at the best strength."""
        return float(np.mean(np.concatenate(self.test_losses)))

    @property
    def test_one_se(self) -> float:
        """Mean loss over all held-out rows at the one-standard-error strength."""
        return float(np.mean(np.concatenate(self.test_losses_one_se)))


def compare(
    problem: Problem, ways: Sequence[Method], num: int, progress: Callable[[str], AbstractContextManager[Any]]
) -> list[Result]:
    """Every method; `progress(name)` surrounds each."""
    found: list[Result] = []
    for method in ways:
        given = setup(method, problem)
        with progress(method.name), Clock() as clock:
            grid = jax.block_until_ready(_cross_validate(method, problem, given, num))
        found.append(_result(method, problem, given, grid, clock))
    return found


def _cross_validate(method: Method, problem: Problem, given: Setup, num: int) -> jr.CrossValidationGrid:
    """A run for every mix; from strength to strength, or where the method is not convex every strength afresh."""
    mixes = method.mixes or (0.5,)
    grids = np.stack([given.grid(num, mix) for mix in mixes])
    options: dict[str, Any] = {
        "weights": given.weights,
        "folds": given.folds,
        "scoring": _Score(given.risk, problem.loss),
        "on_fail": "ignore",
    }
    if (fit_of := given.fit_of) is None:
        return jr.cross_validate_grid(
            given.risk, given.penalty_of, given.data, mixes=mixes, strengths=grids, init=given.init, **options
        )
    pairs = zip(mixes, grids, strict=True)
    runs = [
        jr.cross_validate_fit(fit_of(mix), given.risk, given.data, strengths=grid, **options) for mix, grid in pairs
    ]
    return jr.CrossValidationGrid(jnp.asarray(mixes), tuple(runs))


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


def _result(method: Method, problem: Problem, given: Setup, grid: Any, clock: Clock) -> Result:
    cv = grid.best_run
    coefs, intercepts = fits(method, problem, given, cv.path.params)
    best, one_se = int(cv.best), int(cv.one_se)
    gaps = [np.concatenate([np.asarray(run.gap), np.asarray(run.path.gap)[None]]) for run in grid.runs]
    failed = [np.append(np.asarray(run.status).ravel(), np.asarray(run.path.status)) for run in grid.runs]
    coef, intercept = original(problem, coefs[best], intercepts[best])
    tasks = 1 if method.kind == "pooled" else len(problem.ids)
    return Result(
        method=method,
        strengths=np.asarray(cv.strengths),
        mean=np.asarray(cv.mean),
        error=np.asarray(cv.standard_error),
        gap=np.concatenate(gaps),
        unconverged=int((np.concatenate(failed) != 0).sum()),
        best=best,
        one_se=one_se,
        coef=coef,
        intercept=intercept,
        standardised=coefs[best],
        path=coefs,
        test_losses=held_out_losses(problem, coef, intercept),
        test_losses_one_se=held_out_losses(problem, *original(problem, coefs[one_se], intercepts[one_se])),
        counted=_count(method, coefs[best]),
        counted_one_se=_count(method, coefs[one_se]),
        fits=grid.strengths.size * (len(given.folds) + 1) * tasks,
        compile_seconds=clock.compile,
        run_seconds=clock.run,
        mix=float(grid.mixes[grid.best[0]]) if method.mixes else None,
    )


def _count(method: Method, coef: np.ndarray) -> int:
    """Coefficients, or singular values, beyond rounding."""
    if method.counts == "rank":
        return int(beyond_rounding(np.linalg.svd(coef, compute_uv=False)).sum())
    return int(beyond_rounding(coef[:1] if method.kind == "pooled" else coef).sum())


def beyond_rounding(values: np.ndarray) -> np.ndarray:
    """Where values are more than rounding beside the largest; a feature constant within a task leaves such noise."""
    return np.asarray(np.abs(values) > 1e3 * np.finfo(values.dtype).eps * np.abs(values).max())


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
