"""What nobody can avoid: the passes over X that a path needs at least, by NumPy, in the same run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np

from bench.problems import Problem

_PASSES, _BLOCK, _REPEATS = 10, 10, 3


def limit(problem: Problem) -> float:
    """Seconds of one X'X where rows outnumber columns, else of ten products of X' with the residuals of ten strengths.

    Folds need no further X'X, but residuals of their own.
    """
    X = problem.X
    if problem.is_tall:
        return _median(lambda: X.T @ X)
    R = np.random.default_rng(0).standard_normal((_BLOCK * max(problem.folds, 1), X.shape[0]))
    return _PASSES * _median(lambda: R @ X)


def _median(call: Callable[[], object]) -> float:
    taken = []
    for _ in range(_REPEATS + 1):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[1:])
