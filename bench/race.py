"""The race: every method at the loosest tolerance that satisfies the judge, then interleaved repeats."""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

from sklearn.exceptions import ConvergenceWarning

from bench.judge import largest_gap, score_error
from bench.methods import Method
from bench.problems import Problem

TARGET = 1e-6
_TOLERANCES = [10.0**-k for k in range(6, 13)]
_PATIENCE = 120.0


@dataclass
class Result:
    """One method on one problem; times in seconds.

    `first` and `last` are calls of the calibration, `ratio` the median over that of the first method.
    """

    problem: str
    rows: int
    features: int
    task: str
    method: str
    version: str
    tol: float
    gap: float
    score_error: float
    reached: bool
    first: float
    last: float
    median: float = float("nan")
    fastest: float = float("nan")
    ratio: float = float("nan")

    @property
    def compile(self) -> float:
        """What the first call took beyond a warm one."""
        return max(self.first - self.median, 0.0)


def timed(method: Method, problem: Problem, tol: float) -> tuple[float, object]:
    """Seconds of one call, and what it returned."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        start = time.perf_counter()
        found = method.play(problem, tol)
        return time.perf_counter() - start, found


def calibrate(method: Method, problem: Problem, target: float = TARGET) -> Result:
    """Tighten the tolerance by powers of ten until the judge's largest gap is at most `target`.

    Given up where a call takes too long to be repeated, or two steps in a row change nothing.
    """
    calls: list[float] = []
    gaps: list[float] = []
    for tol in _TOLERANCES:
        seconds, found = timed(method, problem, tol)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            answer = method.reveal(problem, tol, found)
        calls.append(seconds)
        gaps.append(largest_gap(problem, answer))
        stuck = len(gaps) > 2 and gaps[-1] >= 0.99 * gaps[-3]
        if gaps[-1] <= target or seconds > _PATIENCE or stuck:
            break
    n, p = problem.X.shape
    return Result(
        problem=problem.name,
        rows=n,
        features=p,
        task=problem.task,
        method=method.name,
        version=method.version,
        tol=tol,
        gap=gaps[-1],
        score_error=score_error(problem, answer),
        reached=gaps[-1] <= target,
        first=calls[0],
        last=calls[-1],
    )


def race(problem: Problem, methods: Sequence[Method], repeats: int, target: float = TARGET) -> list[Result]:
    """Calibrate all methods, then time in turn, `repeats` times, those that satisfied the judge."""
    results = [calibrate(method, problem, target) for method in methods]
    times: list[list[float]] = [[] for _ in methods]
    for _ in range(repeats):
        for method, result, seconds in zip(methods, results, times, strict=True):
            if result.reached:
                seconds.append(timed(method, problem, result.tol)[0])
    for result, seconds in zip(results, times, strict=True):
        if seconds:
            result.median, result.fastest = statistics.median(seconds), min(seconds)
    for result in results:
        result.ratio = result.median / results[0].median
    return results
