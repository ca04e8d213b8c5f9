"""Many related tasks: held-out errors by way of sharing over ten splits, strengths by cross-validation, and seconds."""

from __future__ import annotations

import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.linear_model import LassoCV

import jaxreg as jr
from bench.problems import SHARED
from bench.table import told
from jaxreg import metrics
from jaxreg import multitask_models as mm

_FOLDS, _NUM = 5, 60
_TITLE = (
    f"tasks: strengths by {_FOLDS}-fold CV over {_NUM} on the training rows of every split; mean ± sd (ddof 1) over "
    "splits; seconds of one split's whole sweep, compiled before"
)
_COLUMNS = (
    "case",
    "method",
    "mean RMSE of tasks",
    "pooled RMSE",
    "nMSE",
    "pooled R²",
    "s / split",
    "peer / own",
    "gap",
)
_METRICS = ("mean_task_rmse", "pooled_rmse", "nmse", "pooled_r2")


class Split(NamedTuple):
    """Standardised training and test tasks."""

    train: jr.Tasks
    test: jr.Tasks


class Case(NamedTuple):
    name: str
    splits: Callable[[], Iterator[Split]]
    file: Path | None = None


@dataclass
class Result:
    """One method on one case: metrics (splits,) each, seconds of every split, the largest certificate."""

    case: str
    method: str
    errors: dict[str, list[float]]
    seconds: list[float]
    gap: float
    ratio: float = float("nan")

    @property
    def median(self) -> float:
        """The first split compiles and is left out, unless it is the only one."""
        return statistics.median(self.seconds[1:] or self.seconds)


def halves(X: np.ndarray, y: np.ndarray, task: np.ndarray, train: np.ndarray) -> Iterator[Split]:
    """One split per mask (n,) of training rows; features are scaled by theirs."""
    sizes = [max(int((mask & (task == t)).sum()) for mask in train) for t in np.unique(task)]
    rest = [max(int((~mask & (task == t)).sum()) for mask in train) for t in np.unique(task)]
    for mask in train:
        mean, scale = X[mask].mean(0), X[mask].std(0)
        Z = (X - mean) / np.where(scale > 0, scale, 1.0)
        yield Split(_padded(Z, y, task, mask, max(sizes)), _padded(Z, y, task, ~mask, max(rest)))


def _padded(X: np.ndarray, y: np.ndarray, task: np.ndarray, rows: np.ndarray, width: int) -> jr.Tasks:
    """Tasks of one width for all splits, so that all share one compilation."""
    pairs, weights = [], []
    for t in np.unique(task):
        at = np.flatnonzero(rows & (task == t))
        spare = width - len(at)
        pairs.append((np.pad(X[at], ((0, spare), (0, 0))), np.pad(y[at], (0, spare))))
        weights.append(np.pad(np.ones(len(at)), (0, spare)))
    return jr.tasks(pairs, weights=weights)


def from_file(path: Path, splits: int) -> Iterator[Split]:
    """The file's own masks, or else half of every task's rows at random."""
    with np.load(path, allow_pickle=False) as arrays:
        X, y, task = arrays["X"].astype(float), arrays["y"].astype(float), arrays["task"]
        train = arrays["train"][:splits] if "train" in arrays else None
    if train is None:
        rng = np.random.default_rng(0)
        train = np.zeros((splits, len(y)), bool)
        for mask in train:
            for t in np.unique(task):
                rows = np.flatnonzero(task == t)
                mask[rng.permutation(rows)[: len(rows) // 2]] = True
    return halves(X[:, X.std(0) > 0], y, task, train)


def simulated(splits: int) -> Iterator[Split]:
    """Six tasks near a common vector."""
    rng = np.random.default_rng(0)
    task, X = np.repeat(np.arange(6), 24), rng.normal(size=(144, 5))
    w = rng.normal(size=5) + 0.3 * rng.normal(size=(6, 5))
    y = (X * w[task]).sum(1) + task + 0.5 * rng.normal(size=144)
    return halves(X, y, task, np.stack([rng.permutation(144) < 72 for _ in range(splits)]))


def cases(smoke: bool, names: list[str] | None) -> list[Case]:
    """The cases asked for. Raises ValueError for one that does not exist."""
    if smoke:
        return [Case("simulated", partial(simulated, 2))]
    known = {name: SHARED / f"{name}.npz" for name in ("school", "parkinson")}
    wrong = [name for name in names or [] if name not in known]
    if wrong:
        raise ValueError(f"no case {wrong[0]}; there are {', '.join(known)}")
    return [Case(name, partial(from_file, known[name], 10), known[name]) for name in names or known]


def _cv(model: mm.TaskModel, split: Split, seed: int) -> tuple[jax.Array, float]:
    """Predictions of the test rows at the strength that cross-validation chose, and the largest gap."""
    T = split.train
    share = np.asarray(T.counts) / np.asarray(T.counts).sum()
    cv = jr.cross_validate(
        model.risk(task_weights=share),
        model.penalty,
        T.data,
        weights=T.weights,
        init=model.init(T.data),
        folds=_FOLDS,
        num=_NUM,
        key=jax.random.key(seed),
        on_fail="ignore",
    )
    fit = jr.FittedTasks.of(model, _at(cv.path, int(cv.best)), T)
    predicted = jax.vmap(jnp.matmul)(split.test.data[0], fit.coef) + jnp.asarray(fit.intercept)[:, None]
    return predicted, float(jnp.maximum(cv.gap.max(), cv.path.gap.max()))


def _at(path: jr.Path, index: int) -> jr.Solution:
    return jr.Solution(path[index], path.value[index], path.gap[index], path.steps[index], path.status[index])


def _peer(split: Split, seed: int) -> tuple[jax.Array, float]:
    """A loop over scikit-learn's LassoCV, a strength of its own for every task."""
    found = []
    for X, y, w, new in zip(*split.train.data, split.train.weights, split.test.data[0], strict=True):
        A, b = np.asarray(X)[np.asarray(w) > 0], np.asarray(y)[np.asarray(w) > 0]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            folds = min(_FOLDS, len(b))
            found.append(LassoCV(alphas=_NUM, eps=1e-2, cv=folds, max_iter=10_000).fit(A, b).predict(np.asarray(new)))
    return jnp.asarray(np.stack(found)), float("nan")


METHODS: dict[str, Callable[[Split, int], tuple[jax.Array, float]]] = {
    "scikit-learn LassoCV in a loop": _peer,
    "pooled ridge": partial(_cv, mm.pooled(jr.Ridge())),
    "independent ridge": partial(_cv, mm.independent(jr.Ridge())),
    "independent lasso": partial(_cv, mm.independent(jr.L1())),
    "mean_regularised": partial(_cv, mm.mean_regularised(1.0)),
    "joint_features": partial(_cv, mm.joint_features(1.0)),
    "low_rank": partial(_cv, mm.low_rank(1.0)),
    "feature_learning": partial(_cv, mm.feature_learning(1.0)),
    "dirty": partial(_cv, mm.dirty(1.0, 0.1)),
}


_SMOKE = ("scikit-learn LassoCV in a loop", "independent ridge", "mean_regularised")


def compare(case: Case, names: Sequence[str] = tuple(METHODS)) -> Iterator[Result]:
    """Every method on the same splits, one after the other."""
    splits = list(case.splits())
    peer = float("nan")
    for name, method in ((name, METHODS[name]) for name in names):
        errors: dict[str, list[float]] = {metric: [] for metric in _METRICS}
        seconds, gaps = [], []
        for seed, split in enumerate(splits):
            start = time.perf_counter()
            predicted, gap = jax.block_until_ready(method(split, seed))
            seconds.append(time.perf_counter() - start)
            gaps.append(gap)
            for metric in _METRICS:
                errors[metric].append(
                    float(getattr(metrics, metric)(predicted, split.test.data[1], split.test.weights))
                )
        found = Result(case.name, name, errors, seconds, max(gaps))
        peer = found.median if method is _peer else peer
        found.ratio = peer / found.median
        yield found


def cells(found: Result) -> tuple[str, ...]:
    """One line of the table."""
    pairs = (metrics.mean_and_sd(np.asarray(found.errors[metric])) for metric in _METRICS)
    shown = tuple(f"{float(mean):.4f} ± {float(sd):.4f}" for mean, sd in pairs)
    gap = "-" if np.isnan(found.gap) else f"{found.gap:.1e}"
    return (found.case, found.method, *shown, f"{found.median:.2f}", f"{found.ratio:.2f}", gap)


def _all(smoke: bool, names: list[str] | None) -> Iterator[Result]:
    """The results of all cases whose data are there."""
    for case in cases(smoke, names):
        if case.file is not None and not case.file.is_file():
            print(f"{case.name} is left out: there is no {case.file}", file=sys.stderr)
            continue
        yield from compare(case, _SMOKE if smoke else tuple(METHODS))


def main(smoke: bool, out: Path, names: list[str] | None) -> int:
    """All cases, written after each method; 1 if a certificate is above 1e-6."""
    file = out / f"tasks-{'smoke' if smoke else '-'.join(names or ['all'])}.json"
    results = told(_all(smoke, names), file, _TITLE, _COLUMNS, cells)
    return int(any(one.gap > 1e-6 for one in results))
