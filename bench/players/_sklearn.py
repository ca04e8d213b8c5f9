"""scikit-learn: the lasso's path and LassoCV, with a Gram matrix on tall data; liblinear and saga for L1 logistic."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.linear_model import LassoCV, LogisticRegression, lasso_path

from bench.judge import Answer
from bench.players._player import CPUS, Player, centred, folds_of
from bench.problems import Problem

EPOCHS = 300_000
_FAR = 1e5
"""liblinear penalises its intercept: a feature of this size makes what it pays invisible."""


def path(X: Any, y: np.ndarray, strengths: np.ndarray, tol: float, loss: str) -> tuple[np.ndarray, np.ndarray]:
    """`lasso_path` has no intercept: centre first, as LassoCV does; sparse columns are centred implicitly."""
    if not isinstance(X, np.ndarray):
        return _sparse_path(X, y, strengths, tol)
    gram = X.shape[0] > X.shape[1]
    X, y, x_mean, y_mean = centred(X, y)
    _, coef, _ = lasso_path(X, y, alphas=strengths, precompute=gram, tol=tol, max_iter=EPOCHS, copy_X=False)
    return coef.T, y_mean - x_mean @ coef


def _sparse_path(X: Any, y: np.ndarray, strengths: np.ndarray, tol: float) -> tuple[np.ndarray, np.ndarray]:
    x_mean, y_mean = np.asarray(X.mean(0)).ravel(), y.mean()
    scale = np.ones(X.shape[1])
    _, coef, _ = lasso_path(
        X, y - y_mean, alphas=strengths, precompute=False, tol=tol, max_iter=EPOCHS, X_offset=x_mean, X_scale=scale
    )
    return coef.T, y_mean - x_mean @ coef


def _play(problem: Problem, tol: float) -> Any:
    """LassoCV on the problem's folds and strengths, its folds in threads."""
    if not problem.folds:
        return folds_of(path)(problem, tol)
    splits = [(np.flatnonzero(~mask), np.flatnonzero(mask)) for mask in problem.masks]
    options: dict[str, Any] = {"precompute": problem.is_tall, "max_iter": EPOCHS, "n_jobs": CPUS}
    return LassoCV(alphas=problem.strengths, cv=splits, tol=tol, **options).fit(problem.columns, problem.y)


def _reveal(problem: Problem, tol: float, found: Any) -> Answer:
    """LassoCV keeps scores alone: the same calls that it makes, once more, for the coefficients."""
    return folds_of(path)(problem, tol)._replace(scores=0.5 * found.mse_path_.T) if problem.folds else found


def _logistic(solver: str) -> Any:
    """One fit per strength; saga starts from the one before, liblinear cannot."""

    def fit(X: Any, y: np.ndarray, strengths: np.ndarray, tol: float, loss: str) -> tuple[np.ndarray, np.ndarray]:
        model = LogisticRegression(
            l1_ratio=1.0,
            solver=solver,
            tol=tol,
            max_iter=EPOCHS,
            warm_start=solver == "saga",
            intercept_scaling=_FAR if solver == "liblinear" else 1.0,
            random_state=0,
        )
        coef, intercept = np.zeros((len(strengths), X.shape[1])), np.zeros(len(strengths))
        for i, strength in enumerate(strengths):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model.set_params(C=1.0 / (strength * len(y))).fit(X, y)
            coef[i], intercept[i] = model.coef_[0], model.intercept_[0]
        return coef, intercept

    return fit


def make(version: str) -> list[Player]:
    return [
        Player("scikit-learn", version, ("squared",), _play, _reveal, threaded=True),
        Player("scikit-learn liblinear", version, ("logistic",), folds_of(_logistic("liblinear"))),
        Player("scikit-learn saga", version, ("logistic",), folds_of(_logistic("saga"))),
    ]
