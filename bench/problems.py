"""What is solved: a risk plus s ‖w‖₁ over many strengths, on all rows or on the training rows of each fold."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse

NUM, RATIO, FOLDS = 100, 1e-2, 10
SHARED = Path(os.environ.get("JAXREG_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")


@dataclass(frozen=True, eq=False)
class Problem:
    """mean ℓ(b + Xw, y) + s ‖w‖₁ for every strength s; with `folds`, once per fold's training rows.

    `loss` is squared ½(z - y)², logistic log(1 + eᶻ) - yz or poisson eᶻ - yz; X is an array or a sparse CSC matrix.
    `grid` and `held` are strengths and folds given from outside.
    """

    name: str
    X: Any
    y: np.ndarray
    folds: int = 0
    loss: str = "squared"
    grid: np.ndarray | None = None
    held: np.ndarray | None = None

    @property
    def task(self) -> str:
        return ("" if self.loss == "squared" else f"{self.loss} ") + (f"{self.folds}-fold CV" if self.folds else "path")

    @property
    def sparse(self) -> bool:
        return scipy.sparse.issparse(self.X)

    @property
    def is_tall(self) -> bool:
        return not self.sparse and self.X.shape[0] > self.X.shape[1]

    @property
    def whole(self) -> Problem:
        """The same as a path."""
        return replace(self, folds=0, held=None)

    @cached_property
    def columns(self) -> Any:
        """X as those want it who read columns: made once, outside of what is timed."""
        return self.X if self.sparse else np.asfortranarray(self.X)

    @cached_property
    def strengths(self) -> np.ndarray:
        """From the smallest strength that excludes every feature down to a hundredth of it."""
        return self.top * np.geomspace(1.0, RATIO, NUM) if self.grid is None else self.grid

    @property
    def top(self) -> float:
        """The smallest strength that excludes every feature."""
        return float(np.abs((self.y - self.y.mean()) @ self.X).max() / len(self.y))

    @cached_property
    def masks(self) -> np.ndarray:
        """Shuffled folds (K, n), True where held out."""
        if self.held is not None:
            return self.held
        rows = np.random.default_rng(0).permutation(len(self.y))
        masks = np.zeros((self.folds, len(self.y)), bool)
        for fold, held in enumerate(np.array_split(rows, self.folds) if self.folds else []):
            masks[fold, held] = True
        return masks

    def samples(self) -> Iterator[tuple[Any, np.ndarray]]:
        """The rows of each fit: all of them, or those that a fold trains on."""
        for mask in ~self.masks if self.folds else [None]:
            yield (self.columns, self.y) if mask is None else (self.columns[mask], self.y[mask])


def mean_loss(loss: str, scores: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The mean loss over rows of scores (L, n)."""
    if loss == "squared":
        return 0.5 * np.mean((y - scores) ** 2, 1)
    rest = np.exp(scores) if loss == "poisson" else np.logaddexp(0.0, scores)
    return np.mean(rest - y * scores, 1)


def scores(X: Any, coef: np.ndarray, intercept: np.ndarray) -> np.ndarray:
    """b + Xw for fits (L, p), (L,): shape (L, n)."""
    return np.asarray(X @ coef.T).T + intercept[:, None]


def held_out(problem: Problem, coef: np.ndarray, intercept: np.ndarray) -> np.ndarray:
    """Mean losses (folds, L) on the rows that each fold holds out."""
    rows = zip(problem.masks, coef, intercept, strict=True)
    return np.stack([mean_loss(problem.loss, scores(problem.X[m], w, b), problem.y[m]) for m, w, b in rows])
