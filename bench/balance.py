"""What balancing costs: weights from a Gramian, and the gradient of a trunk with T heads, beside TorchJD's."""

from __future__ import annotations

import importlib.util
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import nnls

import jaxreg as jr
from bench.turns import Player, Timing, apply, network, race

_ROWS = 256


def torch_there() -> bool:
    """Whether TorchJD takes part; said on stderr where it does not."""
    there = all(importlib.util.find_spec(name) is not None for name in ("torch", "torchjd"))
    if not there:
        print("torchjd is not installed and does not take part; pip install -e '.[torch]'", file=sys.stderr)
    return there


def solvers(sizes: Sequence[int], names: Sequence[str], repeats: int) -> Iterator[Timing]:
    """Weights of a random Gramian in float64, jaxreg's compiled and TorchJD's as it comes, with their errors."""
    peers = torch_there()
    for tasks in sizes:
        J = np.random.default_rng(tasks).normal(size=(tasks, 2 * tasks)) + 0.3
        with jax.enable_x64(True):
            for name in names:
                players = [("jaxreg", _ours(name, J))]
                theirs = _peer(name, J) if peers else None
                if theirs is not None:
                    players.append(("torchjd", theirs))
                found = race("weighting", f"{name}, {tasks} tasks", players, repeats)
                right = exact(name, J)
                for one, (_, call) in zip(found, players, strict=True):
                    one.error = math.nan if right is None else _error(np.asarray(call()), right)
                yield from found


def exact(name: str, J: np.ndarray) -> np.ndarray | None:
    """The weights of gradients J (T, p) by SciPy's non-negative least squares, None where they are no such problem.

    min v'JJ'v over v >= a is min ‖J'u + J'a‖ over u = v - a >= 0.
    """
    least = {"UPGrad": np.eye(len(J)), "DualProj": np.ones((1, len(J)))}.get(name)
    return None if least is None else sum(a + nnls(J.T, -a @ J)[0] for a in least)


def _error(weights: np.ndarray, right: np.ndarray) -> float:
    """The largest error of weights that sum to one: TorchJD's preference is the mean's, ours the sum's."""
    right = right / right.sum()
    return float(np.abs(weights / weights.sum() - right).max() / right.max())


def _ours(name: str, J: np.ndarray) -> Callable[[], Any]:
    weighting, G = getattr(jr.weightings, name)(), jnp.asarray(J @ J.T)
    return partial(jax.jit(lambda G, s: weighting.update(G, s)[0]), G, weighting.init(len(J), G))


def _peer(name: str, J: np.ndarray) -> Callable[[], Any] | None:
    """TorchJD's weighting of that name, None where a package that it calls is absent."""
    import torch
    import torchjd.aggregation

    try:
        kind = getattr(torchjd.aggregation, f"{name}Weighting")(*(0.5,) * (name == "CAGrad"))
    except (ImportError, AttributeError, TypeError) as error:
        print(f"torchjd's {name} does not take part: {error}", file=sys.stderr)
        return None
    G = torch.tensor(J @ J.T)
    return lambda: kind(G).numpy()


def gradients(tasks: Sequence[int], widths: Sequence[int], repeats: int) -> Iterator[Timing]:
    """The gradient of a trunk and T heads: summed, weighted by way of the Gramian, by rows, and TorchJD's by rows."""
    peers = torch_there()
    for count in tasks:
        problem = problem_of(count, widths)
        ours = {name: jax.jit(f) for name, f in steps().items()}
        players: list[Player] = [(name, partial(f, *problem)) for name, f in ours.items()]
        players += torch_steps(*problem) if peers else []
        found = race("gradient", f"{count} tasks, batch {_ROWS}", players, repeats)
        held = [_held(f, problem) for f in ours.values()]
        for one, size in zip(found, held, strict=False):
            one.memory = size / held[0]
        yield from found


def problem_of(tasks: int, widths: Sequence[int]) -> tuple[dict[str, Any], jax.Array, jax.Array]:
    """Parameters of a trunk and of one head per task, rows and targets."""
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(_ROWS, widths[0])), rng.normal(size=(_ROWS, tasks))
    heads = rng.normal(size=(tasks, widths[-1])) / widths[-1] ** 0.5
    params = {"trunk": network(widths), "heads": jnp.asarray(heads, jnp.float32)}
    return params, jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32)


def steps() -> dict[str, Callable[..., Any]]:
    """Ours by name, (params, x, y) -> gradient; the first is the plain sum."""

    def losses(p: Any, x: jax.Array, y: jax.Array) -> jax.Array:
        return jnp.mean((jax.nn.relu(apply(p["trunk"], x)) @ p["heads"].T - y) ** 2, 0)

    def weighted(weighting: Any, p: Any, x: jax.Array, y: jax.Array) -> Any:
        return jr.weighted_gradient(lambda p: losses(p, x, y), p, weighting, "trunk").grad

    def by_rows(p: Any, x: jax.Array, y: jax.Array) -> Any:
        tx = jr.aggregate(jr.weightings.UPGrad(), "trunk")
        _, rows = jr.task_jacobian(lambda p: losses(p, x, y), p, "trunk")
        return tx.update(rows, tx.init(p), p)[0]

    kinds = (jr.weightings.Equal(), jr.weightings.MGDA(), jr.weightings.UPGrad())
    named = {f"weighted_gradient, {type(kind).__name__}": partial(weighted, kind) for kind in kinds}
    plain = jax.grad(lambda p, x, y: jnp.sum(losses(p, x, y)))
    return {"plain sum": plain} | named | {"task_jacobian + aggregate, UPGrad": by_rows}


def torch_steps(params: dict[str, Any], x: jax.Array, y: jax.Array) -> list[Player]:
    """The same gradient in torch: summed, and TorchJD's with UPGrad, whose rows are of the trunk alone."""
    import torch
    from torchjd.aggregation import UPGrad
    from torchjd.autojac import jac_to_grad, mtl_backward

    def tensor(a: Any) -> torch.Tensor:
        return torch.tensor(np.asarray(a))

    trunk = [tensor(layer[part]).requires_grad_() for layer in params["trunk"].values() for part in ("kernel", "bias")]
    heads = [tensor(head).requires_grad_() for head in params["heads"]]
    rows, targets, aggregator = tensor(x), tensor(y), UPGrad()

    def forward() -> tuple[Any, list[Any]]:
        for leaf in (*trunk, *heads):
            leaf.grad = None
        z = rows
        for kernel, bias in zip(trunk[::2], trunk[1::2], strict=True):
            z = torch.relu(z @ kernel + bias)
        return z, [((z @ head - target) ** 2).mean() for head, target in zip(heads, targets.T, strict=True)]

    def grads() -> list[Any]:
        return [leaf.grad.numpy() for leaf in (*trunk, *heads)]

    def plain() -> list[Any]:
        sum(forward()[1]).backward()
        return grads()

    def balanced() -> list[Any]:
        features, losses = forward()
        mtl_backward(losses, features)
        jac_to_grad(trunk, aggregator)
        return grads()

    return [("torch, plain sum", plain), ("torchjd, UPGrad", balanced)]


def _held(step: Callable[..., Any], problem: tuple[Any, ...]) -> int:
    """Bytes of a step's results and temporaries."""
    found = step.lower(*problem).compile().memory_analysis()  # type: ignore[attr-defined]
    return int(found.temp_size_in_bytes + found.output_size_in_bytes)
