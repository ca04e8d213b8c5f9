"""What the links cost: the proximal step over the bare optimiser, weighting solvers, weighted over summed gradients."""

from __future__ import annotations

import importlib.util
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxreg as jr
from bench.table import told

_COLUMNS = ("part", "case", "player", "first s", "median ms", "fastest ms", "/ first player")
_TITLE = "links: a training step, a weighting or a gradient per call, players in turn; float32 but for weightings"
_SOLVERS = ("UPGrad", "DualProj", "MGDA", "CAGrad", "AlignedMTL")
_PATIENCE = 20.0
_RATE = 1e-3


class Size(NamedTuple):
    """How much is done."""

    layers: tuple[int, ...]
    batches: tuple[int, ...]
    solved: tuple[int, ...]
    tasks: tuple[int, ...]
    trunk: tuple[int, ...]


FULL = Size((1024, 2048, 2048, 2048, 10), (32, 256), (8, 40, 128), (2, 8, 40), (784, 1024, 1024))
SMOKE = Size((16, 32, 4), (8,), (4,), (2,), (8, 16))
Player = tuple[str, Callable[[], Any]]


@dataclass
class Timing:
    """One player of one case, in seconds per call; `ratio` is its median over that of the case's first player."""

    part: str
    case: str
    player: str
    first: float
    median: float
    fastest: float
    ratio: float


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


def links() -> Iterator[tuple[str, str, optax.GradientTransformation]]:
    """Optimiser, what is added, and the transformation."""
    penalties = {"L1": 1e-4 * jr.L1().on("*/kernel"), "L2(axis=0)": 1e-3 * jr.L2(axis=0).on("*/kernel")}
    yield "sgd", "bare", optax.sgd(_RATE)
    for name, penalty in penalties.items():
        yield "sgd", name, optax.chain(optax.sgd(_RATE), jr.proximal(penalty, _RATE))
    yield "adam", "bare", optax.adam(_RATE)
    for name, penalty in penalties.items():
        yield "adam", name, jr.proximal(penalty, _RATE, optax.scale_by_adam())


def proximal_steps(size: Size, repeats: int) -> Iterator[Timing]:
    """A whole training step, the buffers of parameters and state given back to it."""
    count = sum(x.size for x in jax.tree.leaves(network(size.layers)))
    for rows in size.batches:
        rng = np.random.default_rng(1)
        x = jnp.asarray(rng.normal(size=(rows, size.layers[0])), jnp.float32)
        y = jnp.asarray(rng.integers(size.layers[-1], size=rows))
        for optimiser in ("sgd", "adam"):
            players = [(name, _trainer(tx, size, x, y)) for kind, name, tx in links() if kind == optimiser]
            case = f"{optimiser}, {count / 1e6:.1f}M parameters, batch {rows}"
            yield from race("jr.proximal", case, players, repeats)


def _trainer(tx: optax.GradientTransformation, size: Size, x: jax.Array, y: jax.Array) -> Callable[[], Any]:
    params = network(size.layers)
    held = [(params, tx.init(params))]

    @partial(jax.jit, donate_argnums=0)
    def step(carry: Any, x: jax.Array, y: jax.Array) -> Any:
        params, state = carry
        grads = jax.grad(lambda p: jnp.mean(jr.Softmax()(apply(p, x), y)))(params)
        updates, state = tx.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    def call() -> Any:
        held[0] = step(held[0], x, y)
        return held[0]

    return call


def solvers(size: Size, repeats: int) -> Iterator[Timing]:
    """Weights of a random Gramian in float64, jaxreg's compiled and TorchJD's as it comes."""
    peers = None
    if importlib.util.find_spec("torch") is None or importlib.util.find_spec("torchjd") is None:
        print("torchjd is not installed and does not take part; pip install -e '.[torch]'", file=sys.stderr)
    else:
        import torch
        import torchjd.aggregation as peers
    for tasks in size.solved:
        J = np.random.default_rng(tasks).normal(size=(tasks, 2 * tasks)) + 0.3
        with jax.enable_x64(True):
            G = jnp.asarray(J @ J.T)
            for name in _SOLVERS[: 2 if size is SMOKE else None]:
                weighting = getattr(jr.weightings, name)()
                init = weighting.init(tasks, G)
                ours = jax.jit(lambda G, s, w=weighting: w.update(G, s)[0])
                players: list[Player] = [("jaxreg", partial(ours, G, init))]
                kind = None if peers is None else _peer(peers, name)
                if kind is not None:
                    given = torch.tensor(np.asarray(G))
                    players.append(("torchjd", lambda kind=kind, given=given: kind(given).numpy()))
                yield from race("weighting", f"{name}, {tasks} tasks", players, repeats)


def _peer(peers: Any, name: str) -> Any:
    """TorchJD's weighting of that name, None where a package that it calls is absent."""
    try:
        return getattr(peers, f"{name}Weighting")(*(0.5,) * (name == "CAGrad"))
    except (ImportError, AttributeError, TypeError) as error:
        print(f"torchjd's {name} does not take part: {error}", file=sys.stderr)
        return None


def gradients(size: Size, repeats: int, rows: int = 256) -> Iterator[Timing]:
    """The gradient of a trunk and T heads: summed, weighted by way of the Gramian, and by rows."""
    rng = np.random.default_rng(2)
    x = jnp.asarray(rng.normal(size=(rows, size.trunk[0])), jnp.float32)
    for tasks in size.tasks:
        heads = jnp.asarray(rng.normal(size=(tasks, size.trunk[-1])) / size.trunk[-1] ** 0.5, jnp.float32)
        params = {"trunk": network(size.trunk), "heads": heads}
        y = jnp.asarray(rng.normal(size=(rows, tasks)), jnp.float32)

        def losses(p: Any, x: jax.Array, y: jax.Array) -> jax.Array:
            scores = jax.nn.relu(apply(p["trunk"], x)) @ p["heads"].T
            return jnp.mean((scores - y) ** 2, 0)

        players = [("plain sum", partial(jax.jit(jax.grad(lambda p, x, y: jnp.sum(losses(p, x, y)))), params, x, y))]
        for name in ("UPGrad",) if size is SMOKE else ("Equal", "MGDA", "UPGrad"):
            players.append((f"weighted_gradient, {name}", partial(_weighted(losses, name), params, x, y)))
        players.append(("task_jacobian + aggregate, UPGrad", partial(_by_rows(losses), params, x, y)))
        yield from race("gradient", f"{tasks} tasks, batch {rows}", players, repeats)


def _weighted(losses: Callable[..., Any], name: str) -> Callable[..., Any]:
    weighting = getattr(jr.weightings, name)()
    return jax.jit(lambda p, x, y: jr.weighted_gradient(lambda p: losses(p, x, y), p, weighting, "trunk").grad)


def _by_rows(losses: Callable[..., Any]) -> Callable[..., Any]:
    tx = jr.aggregate(jr.weightings.UPGrad(), "trunk")

    @jax.jit
    def call(p: Any, x: jax.Array, y: jax.Array) -> Any:
        _, rows = jr.task_jacobian(lambda p: losses(p, x, y), p, "trunk")
        return tx.update(rows, tx.init(p), p)[0]

    return call


def cells(found: Timing) -> tuple[str, ...]:
    """One line of the table."""
    times = (f"{found.first:.2f}", f"{1e3 * found.median:.4g}", f"{1e3 * found.fastest:.4g}", f"{found.ratio:.2f}")
    return (found.part, found.case, found.player, *times)


def main(smoke: bool, out: Path, repeats: int) -> int:
    """Run the benchmark; results are written after every part."""
    size = SMOKE if smoke else FULL
    path = out / f"links-{'smoke' if smoke else 'all'}.json"
    each = (part(size, repeats) for part in (proximal_steps, solvers, gradients))
    told(chain.from_iterable(each), path, _TITLE, _COLUMNS, cells)
    return 0
