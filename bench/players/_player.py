"""What a player is, and how one that fits a path becomes one that cross-validates."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, delayed

from bench.judge import Answer
from bench.problems import Problem, held_out

Fit = Callable[[Any, np.ndarray, np.ndarray, float, str], tuple[np.ndarray, np.ndarray]]
CPUS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
_LARGE = 1_000_000


class NotSupportedError(Exception):
    """A player cannot solve this problem; the message says why."""


class Measured(NamedTuple):
    """An answer whose time was taken elsewhere, in the process that found it."""

    seconds: float
    answer: Answer


def as_found(problem: Problem, tol: float, found: Any) -> Answer:
    return found


class Player(NamedTuple):
    """`play(problem, tol)` is timed; `reveal(problem, tol, result)` makes an answer of its result.

    `losses` are those of its problems; `threaded` says that its folds run in threads, which nothing can stop.
    """

    name: str
    version: str
    losses: tuple[str, ...]
    play: Callable[[Problem, float], Any]
    reveal: Callable[[Problem, float, Any], Answer] = as_found
    sparse: bool = True
    threaded: bool = False

    def supports(self, problem: Problem) -> bool:
        return problem.loss in self.losses and (self.sparse or not problem.sparse)


def folds_of(fit: Fit, spread: bool = False) -> Callable[[Problem, float], Answer]:
    """Paths of all samples by `fit(X, y, strengths, tol, loss)`, and held-out scores of folds.

    With `spread`, folds of large data run in processes: for those whose loops hold Python's lock.
    """

    def play(problem: Problem, tol: float) -> Answer:
        rest = problem.strengths, tol, problem.loss
        if spread and problem.folds and CPUS > 1 and np.prod(problem.X.shape) > _LARGE:
            jobs = (delayed(_fold)(fit, problem.columns, problem.y, ~mask, *rest) for mask in problem.masks)
            fits = Parallel(n_jobs=min(CPUS, problem.folds))(jobs)
        else:
            fits = [fit(X, y, *rest) for X, y in problem.samples()]
        coef, intercept = (np.stack(parts) for parts in zip(*fits, strict=True))
        return Answer(coef, intercept, held_out(problem, coef, intercept) if problem.folds else None)

    return play


def _fold(fit: Fit, X: Any, y: np.ndarray, rows: np.ndarray, *rest: Any) -> tuple[np.ndarray, np.ndarray]:
    return fit(X[rows], y[rows], *rest)


def centred(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Columns and target less their means, and the means: what a free intercept comes to in least squares."""
    x_mean, y_mean = X.mean(0), float(y.mean())
    return np.asfortranarray(X - x_mean), y - y_mean, x_mean, y_mean
