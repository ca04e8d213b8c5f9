"""celer: working sets with dual extrapolation.

Its LassoCV does not run on scikit-learn 1.9, and its logistic regression has no intercept.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from celer import celer_path

from bench.players._player import Player, centred, folds_of

_ROUNDS, _EPOCHS = 200, 100_000


def _path(X: Any, y: np.ndarray, strengths: np.ndarray, tol: float, loss: str) -> tuple[np.ndarray, np.ndarray]:
    """`celer_path` has no intercept: centre first, as its Lasso does; sparse columns are centred implicitly."""
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


def make(version: str) -> list[Player]:
    return [Player("celer", version, ("squared",), folds_of(_path, spread=True))]
