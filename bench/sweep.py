"""What only a batch can do: many small problems x folds x strengths in one call, against loops over other libraries."""

from __future__ import annotations

import importlib
import math
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.datasets import load_diabetes

from bench.cases import simulated, standardised
from bench.judge import Answer, pooled
from bench.players import CPUS
from bench.players._jaxreg import play_all, reveal_all
from bench.players._player import Fit, folds_of
from bench.players._sklearn import path
from bench.problems import FOLDS, NUM, RATIO, SHARED, Problem
from bench.race import TARGET, rested
from bench.table import told

_COLUMNS = ("sweep", "problems", "fits", "player", "tol", "gap", "compile s", "median s", "fits/s", "speed-up", "")
_SAMPLE = 8
_TITLE = f"sweep: lassos with intercept, {NUM} strengths, ratio {RATIO:g}; pooled relative gap <= {TARGET:g}"


class Sweep(NamedTuple):
    """Problems that share strengths and number of folds."""

    name: str
    problems: list[Problem]

    @property
    def fits(self) -> int:
        return len(self.problems) * max(self.problems[0].folds, 1) * len(self.problems[0].strengths)


@dataclass
class Rate:
    """One player on one sweep; `median` is for all problems, though a loop was timed on `timed` of them only."""

    sweep: str
    problems: int
    fits: int
    player: str
    timed: int
    tol: float
    gap: float
    first: float
    median: float = math.nan
    speedup: float = math.nan


class Runner(NamedTuple):
    """`play(problems, tol)` is timed, `reveal(problems, result)` gives an answer for each; `sample` of them only."""

    name: str
    play: Callable[[Sequence[Problem], float], Any]
    reveal: Callable[[Sequence[Problem], Any], list[Answer]]
    sample: int | None = None


def _loop(name: str, fit: Fit) -> Runner:
    one = folds_of(fit)

    def play(problems: Sequence[Problem], tol: float) -> list[Answer]:
        return [one(problem, tol) for problem in problems]

    return Runner(name, play, lambda problems, found: found, _SAMPLE)


def runners() -> list[Runner]:
    """jaxreg in one call, then loops."""
    found = [Runner("jaxreg", play_all, reveal_all), _loop("scikit-learn", path)]
    try:
        found.append(_loop("glmnet", importlib.import_module("bench.players._glmnet").path))
    except ImportError:
        print("python-glmnet is not installed", file=sys.stderr)
    return found


def race(sweep: Sweep, able: Sequence[Runner], repeats: int) -> list[Rate]:
    """Each at the loosest tolerance that satisfies the judge, then in turn."""
    rates = [_calibrate(sweep, runner) for runner in able]
    times: list[list[float]] = [[] for _ in able]
    for _ in range(repeats):
        for runner, rate, taken in zip(able, rates, times, strict=True):
            taken.append(_timed(sweep, runner, rate.tol, warm=True)[0])
    for rate, taken in zip(rates, times, strict=True):
        rate.median = statistics.median(taken)
    best = min((rate.median for rate in rates[1:] if rate.gap <= TARGET), default=math.nan)
    for rate in rates:
        rate.speedup = best / rate.median
    return rates


def _timed(sweep: Sweep, runner: Runner, tol: float, warm: bool = False) -> tuple[float, list[Problem], Any]:
    """Seconds for all problems: a loop's time grows with their number and is divided among the processors.

    Just after another call if `warm`.
    """
    total = len(sweep.problems)
    some = sweep.problems[:: max(1, total // (runner.sample or total))]
    share = 1.0 if runner.sample is None else total / len(some) / CPUS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rested()
        if warm:
            runner.play(some, tol)
        start = time.perf_counter()
        found = runner.play(some, tol)
        return (time.perf_counter() - start) * share, some, found


def _calibrate(sweep: Sweep, runner: Runner) -> Rate:
    tol, first = 10 * TARGET, math.nan
    while True:
        seconds, some, found = _timed(sweep, runner, tol)
        first = seconds if math.isnan(first) else first
        gap = pooled(some, runner.reveal(some, found))
        if gap <= TARGET or tol < 1e-14:
            return Rate(sweep.name, len(sweep.problems), sweep.fits, runner.name, len(some), tol, gap, first)
        tol /= 10


def sharing(name: str, problems: list[Problem]) -> Sweep:
    """One grid of strengths for all, from the largest that any of them needs."""
    grid = max(problem.top for problem in problems) * np.geomspace(1.0, RATIO, NUM)
    return Sweep(name, [Problem(name, p.X, p.y, p.folds, grid=grid, held=p.held) for p in problems])


def bootstraps(count: int) -> Sweep:
    """Resampled diabetes: all copies of a row are in the same fold."""
    X, y = standardised(*load_diabetes(return_X_y=True))
    rng, masks = np.random.default_rng(0), Problem("", X, y, FOLDS).masks
    draws = [rng.integers(0, len(y), len(y)) for _ in range(count)]
    found = [Problem("", X[rows], y[rows], FOLDS, held=masks[:, rows]) for rows in draws]
    return sharing("bootstraps of diabetes", found)


def many_tasks(count: int) -> Sweep:
    """Independent simulated problems of 60 x 20."""
    return sharing("simulated tasks", [Problem("", *simulated(60, 20, seed=seed)) for seed in range(count)])


def schools(file: Path) -> Sweep:
    """The pupils of each school, features standardised over all of them."""
    with np.load(file, allow_pickle=False) as arrays:
        X, y, task = arrays["X"], arrays["y"], arrays["task"]
    X, y = standardised(X, y)
    found = [Problem("", X[task == t], y[task == t], 5) for t in np.unique(task)]
    return sharing("schools", found)


def sweeps(smoke: bool) -> Iterator[Callable[[], Sweep]]:
    if smoke:
        yield partial(bootstraps, 2)
        return
    yield partial(many_tasks, 1000)
    yield partial(bootstraps, 100)
    if (file := SHARED / "school.npz").is_file():
        yield partial(schools, file)


def cells(rate: Rate) -> tuple[str, ...]:
    extrapolated = rate.timed < rate.problems
    note = f"extrapolated from {rate.timed} problems, {CPUS} at a time" if extrapolated else ""
    missed = " missed" if rate.gap > TARGET else ""
    numbers = (f"{max(rate.first - rate.median, 0):.2f}", f"{rate.median:.3f}", f"{rate.fits / rate.median:.0f}")
    head = (rate.sweep, str(rate.problems), str(rate.fits), rate.player, f"{rate.tol:.0e}", f"{rate.gap:.1e}{missed}")
    return (*head, *numbers, f"{rate.speedup:.2f}", note)


def main(smoke: bool, out: Path, repeats: int) -> int:
    """All sweeps, written after each; 1 if jaxreg missed the gap."""
    file = out / f"sweep-{'smoke' if smoke else 'all'}.json"
    each = (race(make(), runners(), repeats) for make in sweeps(smoke))
    rates = told(chain.from_iterable(each), file, _TITLE, _COLUMNS, cells)
    return 0 if all(rate.gap <= TARGET for rate in rates if rate.player == "jaxreg") else 1
