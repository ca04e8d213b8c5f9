"""Paths of the multi-task lasso: jaxreg, celer and scikit-learn at equal achieved gap."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from sklearn.linear_model import MultiTaskLasso

import jaxreg as jr
from bench.cases import standardised
from bench.judge import Answer
from bench.players import Player
from bench.players._jaxreg import reveal
from bench.problems import NUM, RATIO, SHARED, Problem
from bench.race import TARGET, Result, race
from bench.table import COLUMNS, cells, kept, report, save, show

_ROUNDS, _EPOCHS = 200, 100_000
_TITLE = f"multitask: {NUM} strengths, ratio {RATIO:g}, norms of rows, intercepts; everybody at a relative gap <= "


class Rows(Problem):
    """½ mean ‖y - b - W'x‖² + s Σ ‖rows of W‖ for every strength s; y has shape (n, T)."""

    @property
    def top(self) -> float:
        """The smallest strength that excludes every feature."""
        return float(np.linalg.norm((self.y - self.y.mean(0)).T @ self.X, axis=0).max() / len(self.y))


class Case(NamedTuple):
    """`make()` gives X and y; `file` is the shared data file that it needs."""

    name: str
    make: Callable[[], tuple[np.ndarray, np.ndarray]]
    file: Path | None = None
    patience: float = 120.0

    def problem(self) -> Problem:
        return Rows(self.name, *self.make(), loss="rows")


def simulated(n: int, p: int, outputs: int, active: int) -> tuple[np.ndarray, np.ndarray]:
    """Neighbouring features correlated by a half, `active` of them in all outputs, signal as strong as noise."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, p))
    for j in range(1, p):
        X[:, j] = 0.5 * X[:, j - 1] + np.sqrt(0.75) * X[:, j]
    W = np.zeros((p, outputs))
    W[rng.choice(p, active, replace=False)] = rng.standard_normal((active, outputs))
    signal = X @ W
    return X, signal + np.std(signal) * rng.standard_normal(signal.shape)


def _shared(name: str) -> Case:
    def make() -> tuple[np.ndarray, np.ndarray]:
        with np.load(file, allow_pickle=False) as arrays:
            return standardised(arrays["X"], arrays["y"])

    file = SHARED / f"{name}.npz"
    return Case(name, make, file)


SMOKE = (Case("smoke", lambda: simulated(60, 20, 3, 4)),)
CASES = (
    _shared("yeast"),
    _shared("mice_eqtl"),
    Case("sim-300x5000x20", lambda: simulated(300, 5000, 20, 50), patience=240.0),
)


def cases(smoke: bool, names: list[str] | None) -> tuple[Case, ...]:
    """The cases asked for. Raises ValueError for a name that there is not."""
    every = SMOKE if smoke else CASES
    unknown = set(names or ()) - {case.name for case in every}
    if unknown:
        raise ValueError(f"multitask has no case {sorted(unknown)}, expected some of {[c.name for c in every]}.")
    return tuple(case for case in every if names is None or case.name in names)


def _ours(problem: Problem, tol: float) -> Any:
    data = problem.X, problem.y
    options: dict[str, Any] = {"strengths": problem.strengths, "tol": tol, "on_fail": "ignore"}
    risk = jr.risk(jr.linear, jr.Squared())
    return jax.block_until_ready(jr.path(risk, jr.L2(axis=1), data, init=jr.linear_params(data), **options))


def _celer(problem: Problem, tol: float) -> Answer:
    """`mtl_path` has no intercept: centre first."""
    from celer.homotopy import mtl_path

    x_mean, y_mean = problem.X.mean(0), problem.y.mean(0)
    X, Y = np.asfortranarray(problem.X - x_mean), problem.y - y_mean
    _, found, _ = mtl_path(X, Y, alphas=problem.strengths, tol=tol, max_iter=_ROUNDS, max_epochs=_EPOCHS)
    coef = np.transpose(found, (2, 1, 0))
    return Answer(coef[None], (y_mean - x_mean @ coef)[None])


def _sklearn(problem: Problem, tol: float) -> Answer:
    """One estimator along all strengths, each fit from the one before."""
    model = MultiTaskLasso(warm_start=True, tol=tol, max_iter=_EPOCHS)
    coef, intercept = [], []
    for strength in problem.strengths:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.set_params(alpha=strength).fit(problem.X, problem.y)
        coef.append(model.coef_.T.copy())
        intercept.append(model.intercept_)
    return Answer(np.stack(coef)[None], np.stack(intercept)[None])


def contestants() -> list[Player]:
    """jaxreg first, then the rivals that are installed."""
    import importlib.metadata
    import importlib.util

    rivals = {"celer": _celer, "scikit-learn": _sklearn}
    if importlib.util.find_spec("celer") is None:
        del rivals["celer"]
    ours = Player("jaxreg", jr.__version__, ("rows",), _ours, reveal)
    return [ours, *(Player(name, importlib.metadata.version(name), ("rows",), play) for name, play in rivals.items())]


def main(smoke: bool, out: Path, repeats: int, names: list[str] | None = None, target: float = TARGET) -> int:
    """Race on every case, written after each; 1 if jaxreg missed the gap."""
    file, results = out / f"multitask-{'smoke' if smoke else 'all'}.json", list[Result]()
    for case in cases(smoke, names):
        if case.file is not None and not case.file.is_file():
            print(f"{case.name} is left out: there is no {case.file}", file=sys.stderr)
            continue
        results += race(case.problem(), contestants(), repeats, target, case.patience)
        save([kept(one) for one in results], file)
        report(file.with_suffix(".md"), f"{_TITLE}{target:g}", COLUMNS, [cells(one) for one in results])
    show(COLUMNS, [cells(one) for one in results], f"{_TITLE}{target:g}")
    return 0 if all(one.reached for one in results if one.player == "jaxreg") else 1
