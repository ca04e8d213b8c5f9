"""Players in turn on one case: seconds per call, and the line of the table; the network that they are given."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

COLUMNS = (
    *("part", "case", "player", "first s", "median ms", "fastest ms"),
    *("/ first player", "error", "memory / first player"),
)
_PATIENCE = 20.0
Player = tuple[str, Callable[[], Any]]


@dataclass
class Timing:
    """One player of one case, in seconds per call; `ratio` is its median over that of the case's first player.

    `error` is that of weights, relative to the largest exact one; `memory` what a step holds beside its arguments, over
    the first player's; NaN where nobody knows.
    """

    part: str
    case: str
    player: str
    first: float
    median: float
    fastest: float
    ratio: float
    error: float = math.nan
    memory: float = math.nan


def race(part: str, case: str, players: Sequence[Player], repeats: int) -> list[Timing]:
    """Every player once to compile, then all in turn, as often as asked for or until patience ends."""
    firsts = [_seconds(call) for _, call in players]
    times: list[list[float]] = [[] for _ in players]
    for _ in range(repeats):
        for (_, call), spent in zip(players, times, strict=True):
            if sum(spent) < _PATIENCE:
                spent.append(_seconds(call))
    medians = [statistics.median(spent) for spent in times]
    return [
        Timing(part, case, name, first, median, min(spent), median / medians[0])
        for (name, _), first, median, spent in zip(players, firsts, medians, times, strict=True)
    ]


def _seconds(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    jax.block_until_ready(call())
    return time.perf_counter() - start


def network(widths: Sequence[int], seed: int = 0) -> dict[str, Any]:
    """The parameters of a multilayer perceptron, (inputs, outputs) kernels."""
    rng = np.random.default_rng(seed)
    return {
        str(i): {
            "kernel": jnp.asarray(rng.normal(size=(a, b)) / math.sqrt(a), jnp.float32),
            "bias": jnp.zeros(b, jnp.float32),
        }
        for i, (a, b) in enumerate(pairwise(widths))
    }


def apply(params: dict[str, Any], x: jax.Array) -> jax.Array:
    """Its scores, with relu between layers."""
    for i in range(len(params)):
        x = (jax.nn.relu(x) if i else x) @ params[str(i)]["kernel"] + params[str(i)]["bias"][None]
    return x


def cells(found: Timing) -> tuple[str, ...]:
    """One line of the table."""
    times = (f"{found.first:.2f}", f"{1e3 * found.median:.4g}", f"{1e3 * found.fastest:.4g}", f"{found.ratio:.2f}")
    known = ((found.error, ".0e"), (found.memory, ".2f"))
    return (found.part, found.case, found.player, *times, *("-" if math.isnan(x) else format(x, f) for x, f in known))
