"""Proxes against other libraries': the same answer first, then time per call, interleaved."""

from __future__ import annotations

import math
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxreg as jr
from bench.rivals import GROUP, MCP_GAMMA, RADIUS, RIDGE, SCAD_GAMMA, STEP, STRENGTH, Rival, rivals, slope_weights
from bench.table import markdown, save, show

PROBLEMS = 1000
_SAME, _SAMPLE, _PATIENCE = 1e-6, 1e-3, 10.0
_COLUMNS = ("penalty", "shape", "player", "compile s", "median ms", "fastest ms", "/ best rival", "GB/s", "/ copy", "")


class Case(NamedTuple):
    """A penalty, made for one problem's shape; `needs` are its public names, absent ones skip it."""

    name: str
    needs: tuple[str, ...]
    make: Callable[[tuple[int, ...]], Any]
    shape: Callable[[int], tuple[int, ...]] = lambda entries: (entries,)
    elementwise: bool = False
    largest: int = 10**7


def _square(entries: int) -> tuple[int, int]:
    return (math.isqrt(entries), math.isqrt(entries))


CASES = (
    Case("L1", ("L1",), lambda shape: STRENGTH * jr.L1(), elementwise=True),
    Case("elastic net", ("L1",), lambda shape: STRENGTH * jr.L1() + RIDGE * jr.Ridge(), elementwise=True),
    Case("MCP", ("MCP",), lambda shape: jr.MCP(STRENGTH, MCP_GAMMA), elementwise=True),
    Case("SCAD", ("SCAD",), lambda shape: jr.SCAD(STRENGTH, SCAD_GAMMA), elementwise=True),
    Case("NonNegative", ("NonNegative",), lambda shape: jr.NonNegative(), elementwise=True),
    Case("Box", ("Box",), lambda shape: jr.Box(0.0, 1.0), elementwise=True),
    Case("L2 of groups", ("L2",), lambda shape: STRENGTH * jr.L2(axis=-1), lambda n: (n // GROUP, GROUP)),
    Case("Simplex", ("Simplex",), lambda shape: jr.Simplex(RADIUS)),
    Case("L1Ball", ("L1Ball",), lambda shape: jr.L1Ball(RADIUS)),
    Case("SLOPE", ("SLOPE",), lambda shape: jr.SLOPE(slope_weights(shape[0]))),
    Case("TV1D", ("TV1D",), lambda shape: STRENGTH * jr.TV1D()),
    Case("Nuclear", ("Nuclear",), lambda shape: STRENGTH * jr.Nuclear(), _square, largest=10**6),
)


@dataclass
class Timing:
    """One player on one problem, or on many at once; times in seconds, `ratio` over the best rival's median.

    `difference` is the largest from jaxreg's answer, relative to the largest entry; a player that differs is not timed.
    """

    penalty: str
    shape: str
    player: str
    version: str
    difference: float
    verdict: str
    first: float
    median: float = float("nan")
    fastest: float = float("nan")
    ratio: float = float("nan")
    bandwidth: float = float("nan")
    of_copy: float = float("nan")

    @property
    def compile(self) -> float:
        """What the first call took beyond a warm one."""
        return max(self.first - self.median, 0.0)


def players(case: Case, shape: tuple[int, ...], many: bool, others: Sequence[Rival]) -> Iterator[tuple[str, str, Any]]:
    """Name, version and call of jaxreg and of every rival that has the penalty; calls take and return whole batches."""
    penalty = case.make(shape)

    def ours(x: Any) -> Any:
        return penalty.prox(x, STEP)

    yield "jaxreg", jr.__version__, jax.jit(jax.vmap(ours) if many else ours)
    for rival in others:
        if case.name not in rival.proxes:
            continue
        one = rival.proxes[case.name](shape)
        if rival.batched:
            yield rival.name, rival.version, jax.jit(jax.vmap(one) if many else one)
        elif not many:
            yield rival.name, rival.version, one
        elif case.elementwise:  # what acts entry by entry takes all problems as one
            yield rival.name, rival.version, lambda x, one=one: one(x.ravel()).reshape(x.shape)
        else:
            yield rival.name, rival.version, lambda x, one=one: np.stack([one(row) for row in x])


def seconds(call: Callable[[Any], Any], x: Any, number: int = 1) -> float:
    """Seconds per call."""
    start = time.perf_counter()
    for _ in range(number):
        found = call(x)
    jax.block_until_ready(found)
    return (time.perf_counter() - start) / number


def copy_speed(x: np.ndarray, repeats: int) -> float:
    """GB/s read and written when the same bytes are copied: memcpy on a CPU, else a copy on the device."""
    if jax.default_backend() == "cpu":
        target = np.zeros_like(x)
        times = [seconds(lambda x: np.copyto(target, x), x) for _ in range(repeats + 1)]
    else:
        times = [seconds(lambda x: x.copy(), jnp.asarray(x)) for _ in range(repeats + 1)]
    return 2 * x.nbytes / min(times) / 1e9


def objective(case: Case, shape: tuple[int, ...], many: bool, z: Any, x: Any) -> float:
    """What a prox minimises, summed over problems."""
    value = case.make(shape).value
    moved = 0.5 * np.sum(np.square(np.asarray(z) - x))
    return float(STEP * jnp.sum((jax.vmap(value) if many else value)(jnp.asarray(z))) + moved)


def race(case: Case, entries: int, many: bool, others: Sequence[Rival], repeats: int) -> list[Timing]:
    """Ask every player once and compare the answers, then time in turn those that agree with jaxreg."""
    shape = case.shape(entries // PROBLEMS if many else entries)
    x = 2 * np.random.default_rng(0).normal(size=(PROBLEMS, *shape) if many else shape)
    label = " x ".join(map(str, x.shape))
    results: list[Timing] = []
    ready: list[tuple[Timing, Callable[[Any], Any], Any, int]] = []
    best = reference = None
    for name, version, call in players(case, shape, many, others):
        given = jnp.asarray(x) if hasattr(call, "lower") else x
        start = time.perf_counter()
        answer = np.asarray(call(given))
        first = time.perf_counter() - start
        if reference is None:
            reference, best = answer, objective(case, shape, many, answer, x)
        difference = float(np.max(np.abs(answer - reference)) / np.max(np.abs(x)))
        verdict = "" if difference <= _SAME else _judged(objective(case, shape, many, answer, x), best)
        found = Timing(case.name, label, name, version, difference, verdict, first)
        results.append(found)
        if not verdict:
            warm = seconds(call, given)
            ready.append((found, call, given, max(1, min(1000, math.ceil(_SAMPLE / warm)))))
    _measure(ready, repeats)
    _compare(case, results, x, repeats)
    return results


def _judged(theirs: float, ours: Any) -> str:
    """Whether a different answer is the better one: then jaxreg's is no prox."""
    return "better" if theirs < ours - 1e-9 * abs(ours) else "inexact"


def _measure(ready: Sequence[tuple[Timing, Callable[[Any], Any], Any, int]], repeats: int) -> None:
    """In turn, the first one changing, each after a call that is not counted: nobody finds another's cache or pages."""
    times: list[list[float]] = [[] for _ in ready]
    for turn in range(repeats):
        for place in range(len(ready)):
            player = (place + turn) % len(ready)
            (_, call, given, number), spent = ready[player], times[player]
            if sum(spent) < _PATIENCE:
                seconds(call, given)
                spent.append(seconds(call, given, number))
    for (found, *_), spent in zip(ready, times, strict=True):
        found.median, found.fastest = statistics.median(spent), min(spent)


def _compare(case: Case, results: Sequence[Timing], x: np.ndarray, repeats: int) -> None:
    rival = min((r.median for r in results[1:] if not math.isnan(r.median)), default=float("nan"))
    copy = copy_speed(x, repeats) if case.elementwise else float("nan")
    for found in results:
        found.ratio = found.median / rival
        if case.elementwise:
            found.bandwidth = 2 * x.nbytes / found.median / 1e9
            found.of_copy = found.bandwidth / copy


def cells(found: Timing) -> tuple[str, ...]:
    """One line of the table."""

    def shown(value: float, form: str) -> str:
        return "-" if math.isnan(value) else format(value, form)

    note = found.verdict and f"{found.verdict}: {found.difference:.0e}"
    return (
        found.penalty,
        found.shape,
        found.player,
        shown(found.compile, ".3f"),
        shown(1e3 * found.median, ".4g"),
        shown(1e3 * found.fastest, ".4g"),
        shown(found.ratio, ".2f"),
        shown(found.bandwidth, ".1f"),
        shown(found.of_copy, ".2f"),
        note,
    )


def sizes(smoke: bool) -> list[tuple[int, bool]]:
    """Entries in all, and whether they are a thousand problems."""
    if smoke:
        return [(10**3, False), (10**5, True)]
    return [(10**k, many) for many in (False, True) for k in range(5 if many else 3, 8)]


def main(smoke: bool, out: Path, repeats: int) -> int:
    """Run the benchmark; 1 if a rival found a better point than jaxreg."""
    others, missing = rivals()
    for name in missing:
        print(f"{name} is not installed and does not take part", file=sys.stderr)
    path = out / f"prox-{'smoke' if smoke else 'all'}.json"
    results: list[Timing] = []
    for case in CASES:
        absent = [name for name in case.needs if name not in jr.__all__]
        if absent:
            print(f"{case.name} is skipped: jaxreg has no {', '.join(absent)}", file=sys.stderr)
            continue
        for entries, many in sizes(smoke):
            if entries > case.largest:
                continue
            for found in race(case, entries, many, others, repeats):
                print("  ".join(cells(found)), file=sys.stderr)
                results.append(found)
            save([asdict(r) | {"compile": r.compile} for r in results], path)
    lines = [cells(found) for found in results]
    path.with_suffix(".md").write_text(markdown(_COLUMNS, lines) + "\n", encoding="utf-8")
    show(
        _COLUMNS,
        lines,
        f"prox at step {STEP:g} in float64: times per call, batches in one call",
    )
    print(f"written to {path}")
    return int(any(found.verdict == "better" for found in results))
