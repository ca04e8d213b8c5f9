"""Several tasks in one network: every way to share and to balance, accuracy over seeds and seconds per step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import optax

import jaxreg as jr
from bench.table import told
from jaxreg import nn
from jaxreg.datasets import ImageTasks, load_cifar10, load_digits_tasks, make_overlaid_digits

BASES = ("Weighting", "Stateful", "Rowwise")
FOR_MANY_TASKS = ("Krum", "TrimmedMean")
WEIGHTINGS = tuple(sorted(set(jr.weightings.__all__) - {*BASES, *FOR_MANY_TASKS, "Equal"}, key=str.lower))
_COLUMNS = ("problem", "player", "tasks: accuracy, mean ± sd", "Δm %", "ms / step", "/ plain sum", "compile s")
_RATE = 2e-3


class Size(NamedTuple):
    """How much is done."""

    filters: tuple[int, ...]
    rows: int
    seeds: int
    epochs: int
    batch_size: int = 64


FULL, CIFAR, SMOKE = Size((32, 64), 1200, 5, 8), Size((32, 64), 60_000, 5, 8), Size((4, 8), 240, 2, 2)
CASES: dict[str, Callable[[], ImageTasks]] = {
    "digits": load_digits_tasks,
    "overlaid-digits": make_overlaid_digits,
    "overlaid-mnist": partial(make_overlaid_digits, source="mnist"),
}


@dataclass
class Result:
    """One player on one problem: test accuracies (seeds, tasks) at the epoch that validation chose."""

    problem: str
    player: str
    tasks: tuple[str, ...]
    accuracy: list[list[float]]
    delta_m: float
    step: float
    ratio: float
    compile: float
    skipped: int


def players(size: Size, data: ImageTasks, smoke: bool) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Name, network and what else `fit` is given; the first is the baseline of Δm, the second of the time."""
    trunk = nn.conv_trunk(size.filters)
    heads = {task: nn.dense(classes) for task, classes in data.classes.items()}
    hard = nn.HardSharing(trunk, heads)
    yield "single task", nn.Independent(trunk, heads), {}
    yield "hard sharing", hard, {}
    if not smoke:
        soft = nn.SoftSharing(trunk, heads, 0.1 * jr.ToMean(axis=0))
        yield "soft sharing", soft, {"penalty": soft.placed}
    others = (nn.CrossStitch, nn.MMoE, nn.CGC, nn.PLE, nn.MTAN, nn.DSelectK, nn.LearnedBranching)
    for kind in others[:1] if smoke else others:
        yield kind.__name__, kind(trunk, heads), {}
    for name in ("UPGrad",) if smoke else WEIGHTINGS:
        yield f"hard sharing, {name}", hard, {"weighting": getattr(jr.weightings, name)()}


def play(name: str, net: Any, data: ImageTasks, split: nn.Split, size: Size, given: dict[str, Any]) -> Result:
    """Fit once to compile, once to measure."""
    tx = optax.adam(_RATE)

    def run(epochs: int) -> tuple[nn.Fit, float]:
        start = time.perf_counter()
        found = nn.fit(
            net,
            jr.Softmax(),
            split,
            tx,
            key=jax.random.key(1),
            seeds=size.seeds,
            epochs=epochs,
            batch_size=size.batch_size,
            metric=nn.accuracy,
            **given,
        )
        return found, time.perf_counter() - start

    _, first = run(1)
    found, seconds = run(size.epochs)
    steps = size.epochs * (len(split.train) // size.batch_size)
    nan, accuracy = float("nan"), np.asarray(found.test_metric).tolist()
    spent, skipped = first - seconds / size.epochs, int(found.skipped.sum())
    return Result(data.name, name, found.tasks, accuracy, nan, seconds / steps, nan, max(spent, 0.0), skipped)


def parted(data: ImageTasks, rows: int) -> nn.Split:
    """So many images; of a source with its own test set the first of either part, in their proportion."""
    n = len(data.x)
    test = np.zeros(n, bool) if data.test is None else data.test
    parts = [np.flatnonzero(part) for part in (~test, test)]
    first = np.concatenate([part[: len(part) * min(rows, n) // n] for part in parts])
    images = nn.examples(data.x[first], {task: y[first] for task, y in data.y.items()})
    return nn.split(images, jax.random.key(0), **({} if data.test is None else {"test": test[first]}))


def compare(data: ImageTasks, size: Size, smoke: bool, only: set[str] | None = None) -> Iterator[Result]:
    """Every player on the same rows, beside the single tasks and beside the plain sum.

    `only` names players, weightings by their own names, of which those two are always there.
    """
    split = parted(data, size.rows)
    baseline, plain = None, None
    for name, net, given in players(size, data, smoke):
        if only is not None and not {name.rpartition(", ")[2]} & {*only, "single task", "hard sharing"}:
            continue
        found = play(name, net, data, split, size, given)
        mean, _ = nn.mean_sd(found.accuracy)
        baseline = mean if baseline is None else baseline
        plain = found.step if name == "hard sharing" else plain
        found.delta_m = float(nn.delta_m(mean, baseline, higher=[True] * len(mean)))
        found.ratio = float("nan") if plain is None else found.step / plain
        yield found


def cells(found: Result) -> tuple[str, ...]:
    """One line of the table."""
    mean, sd = nn.mean_sd(found.accuracy)
    each = ", ".join(f"{task} {m:.3f} ± {s:.3f}" for task, m, s in zip(found.tasks, mean, sd, strict=True))
    ratio = "-" if np.isnan(found.ratio) else f"{found.ratio:.2f}"
    times = (f"{1e3 * found.step:.1f}", ratio, f"{found.compile:.1f}")
    return (found.problem, found.player, each, f"{found.delta_m:+.2f}", *times)


def cases(smoke: bool, names: list[str] | None, cifar: Path | None = None) -> dict[str, Callable[[], ImageTasks]]:
    """The cases asked for, CIFAR-10 alone where its folder is given. Raises ValueError for one that does not exist."""
    there = CASES if cifar is None else {"cifar": partial(load_cifar10, cifar)}
    wrong = [name for name in names or [] if name not in there]
    if wrong:
        more = "; cifar by --cifar FOLDER" if cifar is None else ""
        raise ValueError(f"no case {wrong[0]}; there are {', '.join(there)}{more}")
    return {name: there[name] for name in names or list(there)[: 1 if smoke else None]}


def main(
    smoke: bool, out: Path, names: list[str] | None, only: set[str] | None = None, cifar: Path | None = None
) -> int:
    """Run the benchmark, written after every player; 1 if a step was left out because something was not finite."""
    size = SMOKE if smoke else FULL if cifar is None else CIFAR
    chosen = cases(smoke, names, cifar)
    file = out / f"deep-{'smoke' if smoke else 'all' if len(chosen) == len(CASES) else '-'.join(chosen)}.json"
    title = (
        f"deep: {size.seeds} seeds in one vmap, {size.rows} images, {size.epochs} epochs, filters {size.filters}; "
        "mean ± sd (ddof 1) over seeds; Δm over single tasks, above 0 is better; a step is of all seeds"
    )
    each = (compare(load(), size, smoke, only) for load in chosen.values())
    results = told(chain.from_iterable(each), file, title, _COLUMNS, cells)
    return int(any(found.skipped for found in results))
