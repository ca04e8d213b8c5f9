"""What is solved: a lasso over many strengths, on all rows or on the training rows of each fold."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from sklearn.datasets import load_diabetes

from jaxreg.datasets import load_tecator

NUM, RATIO, FOLDS = 100, 1e-2, 10
SHARED = Path(os.environ.get("JAXREG_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")


@dataclass(frozen=True, eq=False)
class Problem:
    """½ mean (y - b - Xw)² + s ‖w‖₁ for every strength s; with `folds`, once per fold's training rows."""

    name: str
    X: np.ndarray
    y: np.ndarray
    folds: int = 0

    @property
    def task(self) -> str:
        return f"{self.folds}-fold CV" if self.folds else "path"

    @cached_property
    def strengths(self) -> np.ndarray:
        """From the smallest strength that excludes every feature down to a hundredth of it."""
        top = np.abs((self.y - self.y.mean()) @ (self.X - self.X.mean(0))).max() / len(self.y)
        return top * np.geomspace(1.0, RATIO, NUM)

    @cached_property
    def masks(self) -> np.ndarray:
        """Shuffled folds (K, n), True where held out."""
        rows = np.random.default_rng(0).permutation(len(self.y))
        masks = np.zeros((self.folds, len(self.y)), bool)
        for fold, held in enumerate(np.array_split(rows, self.folds) if self.folds else []):
            masks[fold, held] = True
        return masks

    def samples(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The rows of each fit: all of them, or those that a fold trains on."""
        for mask in ~self.masks if self.folds else [slice(None)]:
            yield self.X[mask], self.y[mask]


def simulated(n: int, p: int, rho: float = 0.5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Neighbouring features correlated by rho, p/10 of them active, signal as strong as noise."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    for j in range(1, p):
        X[:, j] = rho * X[:, j - 1] + np.sqrt(1 - rho**2) * X[:, j]
    w = np.zeros(p)
    active = max(1, p // 10)
    w[rng.choice(p, active, replace=False)] = rng.standard_normal(active)
    signal = X @ w
    return X, signal + np.std(signal) * rng.standard_normal(n)


def standardised(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Features with mean 0 and standard deviation 1, in float64; constant ones are dropped."""
    X = np.asarray(X, np.float64)
    X = X[:, X.std(0) > 0]
    return (X - X.mean(0)) / X.std(0), np.asarray(y, np.float64)


def from_file(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """X (n, p) and y (n,) of an .npz file."""
    with np.load(path, allow_pickle=False) as arrays:
        shapes = {name: arrays[name].shape for name in ("X", "y") if name in arrays}
        if len(shapes) < 2 or len(shapes["X"]) != 2 or shapes["y"] != shapes["X"][:1]:
            raise ValueError(f"{path} holds {shapes}, expected X of shape (n, p) and y of shape (n,).")
        return standardised(arrays["X"], arrays["y"])


def problems(smoke: bool = False, data: Path | None = None) -> Iterator[Problem]:
    """Each case as a path and as a cross-validation, the small ones first."""
    for name, (X, y) in _cases(smoke, data):
        yield Problem(name, X, y)
        yield Problem(name, X, y, FOLDS)


def _cases(smoke: bool, data: Path | None) -> Iterator[tuple[str, tuple[np.ndarray, np.ndarray]]]:
    if data is not None:
        yield data.stem, from_file(data)
    elif smoke:
        yield "simulated", simulated(300, 30)
    else:
        yield "diabetes", standardised(*load_diabetes(return_X_y=True))
        tecator = load_tecator()
        yield "tecator fat", standardised(tecator.X, tecator.y[:, 1])
        yield "simulated", simulated(10_000, 100)
        if (SHARED / "riboflavin.npz").is_file():
            yield "riboflavin", from_file(SHARED / "riboflavin.npz")
        yield "simulated", simulated(100_000, 500)
