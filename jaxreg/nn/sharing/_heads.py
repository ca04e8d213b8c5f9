"""Heads: one network per task on features that are common, or one set per task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax

from jaxreg._typing import Array, PyTree
from jaxreg.nn._module import Network, Stack, split_key

Heads = Stack | Mapping[str, Network]


def check_heads(where: str, heads: Any) -> None:
    """Raise TypeError or ValueError for anything but a stack or a dictionary of networks."""
    if not isinstance(heads, (Stack, Mapping)):
        raise TypeError(
            f"{where}: heads is {type(heads).__name__}, expected Stack(module, tasks) for heads of one kind or a "
            'dictionary of networks by task, as in {"digit": dense(10), "parity": dense(2)}.'
        )
    if not isinstance(heads, Stack) and not heads:
        raise ValueError(f"{where}: heads is empty; give a head for every task.")


def task_names(heads: Heads) -> tuple[str, ...]:
    """The tasks in their order: the keys of a dictionary as it was written, numbers for a stack."""
    return tuple(str(t) for t in range(heads.count)) if isinstance(heads, Stack) else tuple(heads)


def init_heads(heads: Heads, key: Array, features: Array, own: bool) -> PyTree:
    """Parameters of the heads; `own` features have a leading task axis."""
    if isinstance(heads, Stack):
        return heads.start(key, features, 0 if own else None)
    keys = jax.random.split(key, len(heads))
    rows = features if own else [features] * len(heads)
    return {name: head.init(k, x) for (name, head), k, x in zip(heads.items(), keys, rows, strict=True)}


def apply_heads(heads: Heads, params: PyTree, features: Array, own: bool, key: Array | None = None) -> Any:
    """Predictions (tasks, n, ...) of a stack, {task: (n, ...)} of a dictionary."""
    if isinstance(heads, Stack):
        return heads.run(params, features, key, 0 if own else None)
    keys = split_key(key, len(heads))
    rows = features if own else [features] * len(heads)
    return {name: head.apply(params[name], x, k) for (name, head), k, x in zip(heads.items(), keys, rows, strict=True)}
