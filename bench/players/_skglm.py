"""skglm: Anderson coordinate descent for least squares, proximal Newton for GLMs, working sets, warm starts."""

from __future__ import annotations

from typing import Any

import numpy as np
from skglm import datafits, penalties, solvers
from skglm.utils.jit_compilation import compiled_clone

from bench.players._player import Player, folds_of


def _path(X: Any, y: np.ndarray, strengths: np.ndarray, tol: float, loss: str) -> tuple[np.ndarray, np.ndarray]:
    """Its tolerance is the largest violation of optimality: it is asked for as a part of the largest strength."""
    solver = solvers.AndersonCD(tol=tol * strengths[0], max_iter=200, max_epochs=100_000, fit_intercept=True)
    datafit, penalty = compiled_clone(datafits.Quadratic()), compiled_clone(penalties.L1(1.0))
    _, coef, _ = solver.path(X, y, datafit, penalty, alphas=strengths)
    return coef[:-1].T, coef[-1]


def _newton(X: Any, y: np.ndarray, strengths: np.ndarray, tol: float, loss: str) -> tuple[np.ndarray, np.ndarray]:
    solver = solvers.ProxNewton(tol=tol * strengths[0], max_iter=200, fit_intercept=True)
    made = datafits.Poisson() if loss == "poisson" else datafits.Logistic()
    target = y if loss == "poisson" else 2.0 * y - 1.0
    datafit, penalty = compiled_clone(made), compiled_clone(penalties.L1(1.0))
    w = np.zeros(X.shape[1] + 1)
    w[-1] = np.log(y.mean() if loss == "poisson" else y.mean() / (1 - y.mean()))
    scores, coef = np.full(len(y), w[-1]), np.zeros((len(strengths), len(w)))
    for i, strength in enumerate(strengths):
        penalty.alpha = strength
        w = solver.solve(X, target, datafit, penalty, w, scores)[0]
        coef[i] = w
    return coef[:, :-1], coef[:, -1]


def make(version: str) -> list[Player]:
    return [
        Player("skglm", version, ("squared",), folds_of(_path, spread=True)),
        Player("skglm", version, ("logistic", "poisson"), folds_of(_newton, spread=True)),
    ]
