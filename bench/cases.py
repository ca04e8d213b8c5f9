"""The cases by name: what each command runs, and how its data come about."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
from sklearn import datasets

from bench.problems import SHARED, Problem
from jaxreg.datasets import load_tecator

Arrays = tuple[Any, np.ndarray]


class Case(NamedTuple):
    """`make()` gives X and y; `file` is the shared data file that it needs; `patience` in seconds for one call."""

    name: str
    make: Callable[[], Arrays]
    loss: str = "squared"
    file: Path | None = None
    patience: float = 60.0

    def problem(self, folds: int = 0) -> Problem:
        return Problem(self.name, *self.make(), folds=folds, loss=self.loss)


def simulated(n: int, p: int, rho: float = 0.5, seed: int = 0, active: int | None = None) -> Arrays:
    """Neighbouring features correlated by rho, p/10 of them active, signal as strong as noise."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    for j in range(1, p):
        X[:, j] = rho * X[:, j - 1] + np.sqrt(1 - rho**2) * X[:, j]
    w = np.zeros(p)
    active = max(1, p // 10) if active is None else active
    w[rng.choice(p, active, replace=False)] = rng.standard_normal(active)
    signal = X @ w
    return X, signal + np.std(signal) * rng.standard_normal(n)


def counts(n: int, p: int) -> Arrays:
    """Counts with mean near 1 and log-linear in a tenth of the features."""
    X, signal = simulated(n, p)
    return X, np.random.default_rng(1).poisson(np.exp(0.5 * signal / np.std(signal))).astype(float)


def sparse(n: int, p: int, density: float, active: int = 100) -> Arrays:
    """A CSC matrix of |normal| entries, unscaled, with columns of very different numbers of entries, like words."""
    rng = np.random.default_rng(0)
    popularity = rng.pareto(1.0, p) + 0.1
    entries = int(density * n * p)
    rows, cols = rng.integers(0, n, entries), rng.choice(p, entries, p=popularity / popularity.sum())
    places = rows.astype(np.int32), cols.astype(np.int32)  # what scikit-learn's loops are compiled for
    X = scipy.sparse.csc_array((np.abs(rng.standard_normal(entries)), places), shape=(n, p))
    w = np.zeros(p)
    w[np.argsort(-popularity)[: 10 * active : 10]] = rng.standard_normal(active)
    signal = X @ w
    return X, signal + np.std(signal) * rng.standard_normal(n)


def standardised(X: np.ndarray, y: np.ndarray) -> Arrays:
    """Features with mean 0 and standard deviation 1, in float64; constant ones are dropped."""
    X = np.asarray(X, np.float64)
    X = X[:, X.std(0) > 0]
    return (X - X.mean(0)) / X.std(0), np.asarray(y, np.float64)


def from_file(path: Path) -> Arrays:
    """X (n, p) and y (n,) of an .npz file."""
    with np.load(path, allow_pickle=False) as arrays:
        shapes = {name: arrays[name].shape for name in ("X", "y") if name in arrays}
        if len(shapes) < 2 or len(shapes["X"]) != 2 or shapes["y"] != shapes["X"][:1]:
            raise ValueError(f"{path} holds {shapes}, expected X of shape (n, p) and y of shape (n,).")
        return standardised(arrays["X"], arrays["y"])


def _upper(arrays: Arrays) -> Arrays:
    """Labels 0 and 1 of a target: above its middle or not."""
    X, y = arrays
    return X, (y > (y.min() + y.max()) / 2).astype(float)


def _tecator() -> Arrays:
    found = load_tecator()
    return standardised(found.X, found.y[:, 1])


def _digits(label: Callable[[np.ndarray], np.ndarray]) -> Arrays:
    X, y = datasets.load_digits(return_X_y=True)
    return standardised(X, label(y))


def _shared(name: str) -> Case:
    file = SHARED / f"{name}.npz"
    return Case(name, partial(from_file, file), file=file)


def _simulated(n: int, p: int, **options: Any) -> Case:
    name = f"sim-{n}x{p}" + (f"-rho{options['rho']:g}" if "rho" in options else "")
    return Case(name, partial(simulated, n, p, **options), patience=120.0)


SMOKE = Case("smoke", partial(simulated, 300, 30))
SQUARED = (
    Case("diabetes", lambda: standardised(*datasets.load_diabetes(return_X_y=True))),
    Case("tecator", _tecator),
    _shared("riboflavin"),
    _shared("leukemia"),
    _shared("madelon"),
    _simulated(10_000, 100),
    _simulated(2_000, 2_000),
    _simulated(463_715, 90),
    _simulated(100_000, 500),
    _simulated(200, 20_000, active=20),
    *(_simulated(400, 40_000, rho=rho, active=40) for rho in (0.0, 0.4, 0.8)),
    Case("sparse-20000x47000", partial(sparse, 20_000, 47_000, 0.0016), patience=120.0),
)

SMOKE_GLM = (
    Case("smoke-logistic", lambda: _upper(simulated(200, 10)), "logistic"),
    Case("smoke-poisson", partial(counts, 200, 10), "poisson"),
)
GLM = (
    Case("breast-cancer", lambda: standardised(*datasets.load_breast_cancer(return_X_y=True)), "logistic"),
    Case("digits-0", lambda: _digits(lambda y: y == 0), "logistic"),
    Case("digits-odd", lambda: _digits(lambda y: y % 2), "logistic"),
    _shared("leukemia")._replace(make=lambda: _upper(from_file(SHARED / "leukemia.npz")), loss="logistic"),
    Case("sim-10000x100", lambda: _upper(simulated(10_000, 100)), "logistic"),
    Case("sim-400x4000", lambda: _upper(simulated(400, 4_000, active=40)), "logistic"),
    Case("counts-10000x100", partial(counts, 10_000, 100), "poisson"),
    Case("counts-400x4000", partial(counts, 400, 4_000), "poisson"),
)


def of_file(path: Path, glm: bool) -> Case:
    """A case of one's own: for a GLM two values are labels, other numbers are counts."""
    X, y = from_file(path)
    if not glm:
        return Case(path.stem, lambda: (X, y), patience=120.0)
    if len(np.unique(y)) == 2:
        return Case(path.stem, lambda: _upper((X, y)), "logistic", patience=120.0)
    if (y < 0).any():
        raise ValueError(f"{path}: y has {len(np.unique(y))} values and negative ones, expected two labels or counts.")
    return Case(path.stem, lambda: (X, y), "poisson", patience=120.0)


def chosen(command: str, smoke: bool, data: Path | None, names: list[str] | None) -> Iterator[Case]:
    """The cases of a command, those without their data file left out. Raises ValueError for a name it has not."""
    glm = command == "glm"
    if data is not None:
        yield of_file(data, glm)
        return
    every = (SMOKE_GLM if smoke else GLM) if glm else ((SMOKE,) if smoke else SQUARED)
    unknown = set(names or ()) - {case.name for case in every}
    if unknown:
        raise ValueError(f"{command} has no case {sorted(unknown)}, expected some of {[c.name for c in every]}.")
    yield from (case for case in every if names is None or case.name in names)
