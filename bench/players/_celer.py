"""celer: working sets with dual extrapolation, its path function and its LassoCV (its logistic has no intercept)."""

from __future__ import annotations

from typing import Any

import numpy as np
from celer import LassoCV, celer_path

from bench.judge import Answer
from bench.players._player import Player, centred, folds_of
from bench.players._sklearn import cv_answer, model_cv
from bench.problems import Problem

_ROUNDS, _EPOCHS = 200, 100_000


def _path(X: Any, y: np.ndarray, strengths: np.ndarray, tol: float, loss: str) -> tuple[np.ndarray, np.ndarray]:
    """`celer_path` has no intercept: centre first, as its LassoCV does; sparse columns are centred implicitly."""
    offsets: dict[str, np.ndarray] = {}
    if isinstance(X, np.ndarray):
        X, y, x_mean, y_mean = centred(X, y)
    else:
        x_mean, y_mean = np.asarray(X.mean(0)).ravel(), float(y.mean())
        y, offsets = y - y_mean, {"X_offset": x_mean, "X_scale": np.ones(X.shape[1])}
    _, coef, _ = celer_path(
        X, y, "lasso", alphas=strengths, tol=tol, max_iter=_ROUNDS, max_epochs=_EPOCHS, prune=1, **offsets
    )
    return coef.T, y_mean - x_mean @ coef


def _play(problem: Problem, tol: float) -> Any:
    if problem.folds:
        return model_cv(LassoCV, problem, tol, max_iter=_ROUNDS, max_epochs=_EPOCHS)
    return folds_of(_path)(problem, tol)


def _reveal(problem: Problem, tol: float, found: Any) -> Answer:
    return cv_answer(_path, problem, tol, found) if problem.folds else found


def make(version: str) -> list[Player]:
    return [Player("celer", version, ("squared",), _play, _reveal, threaded=True)]
