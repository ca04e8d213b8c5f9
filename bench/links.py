"""What the links cost: the proximal step over the bare optimiser, weighting solvers, weighted over summed gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxreg as jr
from bench.balance import gradients, solvers
from bench.table import told
from bench.turns import COLUMNS, Timing, apply, cells, network, race

_TITLE = (
    "links: a training step, a weighting or a gradient per call, players in turn; float32 but for weightings; the "
    "error of weights is against exact least squares, memory is of results and temporaries"
)
_RATE = 1e-3


class Size(NamedTuple):
    """How much is done."""

    layers: tuple[int, ...]
    batches: tuple[int, ...]
    solved: tuple[int, ...]
    solver_names: tuple[str, ...]
    tasks: tuple[int, ...]
    trunk: tuple[int, ...]


FULL = Size(
    (1024, 2048, 2048, 2048, 10),
    (32, 256),
    (8, 40, 128),
    ("UPGrad", "DualProj", "MGDA", "CAGrad", "AlignedMTL"),
    (2, 8, 40),
    (784, 640, 640),
)
SMOKE = Size((16, 32, 4), (8,), (4,), ("UPGrad", "DualProj"), (2,), (8, 16))


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


def main(smoke: bool, out: Path, repeats: int) -> int:
    """Run the benchmark; results are written after every part."""
    size = SMOKE if smoke else FULL
    path = out / f"links-{'smoke' if smoke else 'all'}.json"
    each = (
        proximal_steps(size, repeats),
        solvers(size.solved, size.solver_names, repeats),
        gradients(size.tasks, size.trunk, repeats),
    )
    told(chain.from_iterable(each), path, _TITLE, COLUMNS, cells)
    return 0
