"""python-glmnet: the Fortran, which takes all strengths in one call."""

from __future__ import annotations

from typing import Any

import numpy as np
from glmnet import ElasticNet, LogitNet

from bench.players._player import Player, folds_of

_EPOCHS = 10_000_000


def path(X: Any, y: np.ndarray, strengths: np.ndarray, tol: float, loss: str) -> tuple[np.ndarray, np.ndarray]:
    model = LogitNet if loss == "logistic" else ElasticNet
    found = model(
        alpha=1, lambda_path=strengths, standardize=False, fit_intercept=True, n_splits=0, tol=tol, max_iter=_EPOCHS
    ).fit(X, y)
    missing = len(strengths) - found.n_lambda_  # strengths that its steps did not suffice for
    coef, intercept = found.coef_path_.reshape(X.shape[1], -1).T, found.intercept_path_.ravel()
    coef = np.pad(coef, ((0, missing), (0, 0)), constant_values=np.nan)
    return coef, np.pad(intercept, (0, missing), constant_values=np.nan)


def make(version: str) -> list[Player]:
    return [Player("glmnet", version, ("squared", "logistic"), folds_of(path, spread=True))]
