"""The race: every player at the loosest tolerance that satisfies the judge, then repeats in turn."""

from __future__ import annotations

import gc
import math
import signal
import statistics
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from bench.judge import Answer, largest_gap, score_error
from bench.limit import limit
from bench.players import CPUS, Measured, NotSupportedError, Player
from bench.problems import Problem

TARGET = 1e-6
_TIGHTEST = 1e-15
_REST, _SHORT = 0.1, 1.0
"""Seconds between calls, and what a call takes at most that is timed just after another one."""

_COMPILING = 120.0
"""Seconds that a first call may take beyond patience, for it may compile; what then counts is the second."""


@dataclass
class Result:
    """One player on one problem; times in seconds.

    `verdict` says why it was not timed, if it was not: it missed the gap, its patience ran out, or it does not serve
    the problem. `first` and `last` are calls of the calibration, `speedup` the best rival's median over this one,
    `limit` what the machine needs to pass over the data as often as nobody can avoid.
    """

    problem: str
    rows: int
    features: int
    task: str
    player: str
    version: str
    target: float
    tol: float = math.nan
    gap: float = math.nan
    score_error: float = 0.0
    verdict: str = ""
    first: float = math.nan
    last: float = math.nan
    median: float = math.nan
    fastest: float = math.nan
    speedup: float = math.nan
    limit: float = math.nan
    peak: float = math.nan

    @property
    def reached(self) -> bool:
        return not self.verdict

    @property
    def compile(self) -> float:
        """What the first call took beyond a warm one."""
        return max(self.first - self.median, 0.0)


class OutOfPatienceError(Exception):
    """A call took too long."""


@contextmanager
def patient(seconds: float) -> Iterator[None]:
    """Raise `OutOfPatienceError` in here after so many seconds, as soon as Python has its turn again."""

    def stop(*_: object) -> None:
        raise OutOfPatienceError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def rested() -> None:
    """Wait until the threads and the garbage of the call before are gone: the next player should not pay for them."""
    gc.collect()
    time.sleep(_REST)


def timed(
    player: Player, problem: Problem, tol: float, patience: float = math.inf, warm: bool = False
) -> tuple[float, object]:
    """Seconds of one call, and what it returned; just after another one if `warm`."""
    rested()
    limited = math.isfinite(patience) and not (player.threaded and problem.folds)
    with warnings.catch_warnings(), patient(patience if limited else 0.0):
        warnings.simplefilter("ignore")  # that a tolerance is not reached, the judge says
        if warm:
            player.play(problem, tol)
        start = time.perf_counter()
        found = player.play(problem, tol)
        seconds = time.perf_counter() - start
    return (found.seconds if isinstance(found, Measured) else seconds), found


def revealed(player: Player, problem: Problem, tol: float, found: object) -> Answer:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return player.reveal(problem, tol, found)


def calibrate(player: Player, problem: Problem, target: float = TARGET, patience: float = math.inf) -> Result:
    """Tighten the tolerance by powers of ten until the judge's largest gap is at most `target`.

    Given up where a call takes too long, or two steps in a row change nothing. Folds begin at the tolerance that
    satisfies the path, and are not begun if they would take too long by what the path took.
    """
    n, p = problem.X.shape
    result = Result(problem.name, n, p, problem.task, player.name, player.version, target, 10.0 * target)
    if not player.supports(problem):
        result.verdict = "not supported"
        return result
    if problem.folds:
        path = calibrate(player, problem.whole, target, patience)
        long = problem.folds / CPUS
        if path.reached and path.last == path.first and path.last * long > patience:
            path.last = timed(player, problem.whole, path.tol)[0]  # the only call so far may have compiled
        result.tol, result.gap, result.last = path.tol, path.gap, path.last * problem.folds
        result.verdict = path.verdict and f"{path.verdict} on the path"
        if path.reached and path.last * long > patience:
            result.verdict = f"> {patience:.0f} s by its path"
        if result.verdict:
            return result
    _tighten(result, player, problem, patience)
    return result


def _tighten(result: Result, player: Player, problem: Problem, patience: float) -> None:
    calls: list[float] = []
    gaps: list[float] = []
    while True:
        try:
            seconds, found = timed(player, problem, result.tol, patience if calls else patience + _COMPILING)
            first = seconds
            if not calls and seconds > patience:
                seconds, found = timed(player, problem, result.tol, patience)
        except OutOfPatienceError:
            result.verdict = f"> {patience:.0f} s"
            return
        except NotSupportedError as error:
            result.verdict = f"not supported: {error}"
            return
        answer = revealed(player, problem, result.tol, found)
        result.first = result.first if calls else first
        calls.append(seconds)
        gaps.append(largest_gap(problem, answer))
        result.last, result.gap = calls[-1], gaps[-1]
        if gaps[-1] <= result.target:
            result.score_error = score_error(problem, answer)
            return
        if seconds > patience:
            result.verdict = f"> {patience:.0f} s"
            return
        if result.tol < 10 * _TIGHTEST or (len(gaps) > 2 and gaps[-1] >= 0.99 * gaps[-3]):
            result.verdict = "missed"
            return
        result.tol = result.tol / 10


def race(
    problem: Problem, players: Sequence[Player], repeats: int, target: float = TARGET, patience: float = math.inf
) -> list[Result]:
    """Calibrate all players, then time those that satisfied the judge, in turn, each round beginning with another."""
    results = [calibrate(player, problem, target, patience) for player in players]
    able = [pair for pair in zip(players, results, strict=True) if pair[1].reached]
    times: dict[int, list[float]] = {id(result): [] for result in results}
    for turn in range(repeats):
        start = turn % max(len(able), 1)
        for player, result in able[start:] + able[:start]:
            taken = times[id(result)]
            short = min([result.last, *taken]) < _SHORT
            taken.append(timed(player, problem, result.tol, warm=short)[0])
    least = limit(problem)
    for result in results:
        result.limit = least
        if taken := times[id(result)]:
            result.median, result.fastest = statistics.median(taken), min(taken)
    best = min((result.median for result in results[1:] if result.reached), default=math.nan)
    for result in results:
        result.speedup = best / result.median
    return results
