"""glum: iteratively reweighted least squares with coordinate descent inside, over all strengths in one call."""

from __future__ import annotations

from typing import Any

import numpy as np
from glum import GeneralizedLinearRegressor

from bench.players._player import Player, folds_of

_FAMILIES = {"logistic": "binomial", "poisson": "poisson"}


def _path(X: Any, y: np.ndarray, strengths: np.ndarray, tol: float, loss: str) -> tuple[np.ndarray, np.ndarray]:
    """Its tolerance is the largest violation of optimality: it is asked for as a part of the largest strength."""
    model = GeneralizedLinearRegressor(
        l1_ratio=1.0,
        family=_FAMILIES[loss],
        solver="irls-cd",
        alpha_search=True,
        alphas=strengths,
        gradient_tol=tol * strengths[0],
        max_iter=1000,
    ).fit(X, y)
    return model.coef_path_, model.intercept_path_


def make(version: str) -> list[Player]:
    return [Player("glum", version, tuple(_FAMILIES), folds_of(_path, spread=True))]
