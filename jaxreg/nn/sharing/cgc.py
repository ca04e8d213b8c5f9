"""Customised gate control: experts for all and experts of a task's own, in one level or in several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from jaxreg._linalg import einsum
from jaxreg._typing import Array, PyTree
from jaxreg.nn._module import Network, Stack, split_key, stages_of
from jaxreg.nn.layers import dense
from jaxreg.nn.sharing._heads import Heads, apply_heads, check_heads, init_heads, task_names


@dataclass(frozen=True, eq=False)
class CGC:
    """Every task mixes its own experts with the common ones by a softmax gate, one level (Tang et al. 2020).

    Parameters: {"trunk": common experts (shared, ...), "own": (tasks, own, ...), "gates": (tasks, ...), "heads": ...};
    no task's loss reaches another's experts. `shared=0` with `own=1` is `Independent`. A gate scores a task's own
    experts first, then the common ones.
    """

    trunk: Network
    heads: Heads
    shared: int = 2
    own: int = 1

    def __post_init__(self) -> None:
        check_heads("CGC", self.heads)
        _check_counts("CGC", self.shared, self.own)

    def init(self, key: Array, x: Any) -> PyTree:
        tasks = len(task_names(self.heads))
        for_shared, for_own, for_gates, for_heads = jax.random.split(key, 4)
        params = {
            "own": Stack(Stack(self.trunk, self.own), tasks).init(for_own, x),
            "gates": Stack(dense(self.own + self.shared), tasks).init(for_gates, x),
        }
        if self.shared:
            params["trunk"] = Stack(self.trunk, self.shared).init(for_shared, x)
        return {**params, "heads": init_heads(self.heads, for_heads, self._features(params, x, None), own=True)}

    def gates(self, params: PyTree, x: Any) -> Array:
        """How much every task takes of every expert it sees, (tasks, n, own + shared), each row a distribution."""
        tasks = len(task_names(self.heads))
        return jax.nn.softmax(Stack(dense(self.own + self.shared), tasks).apply(params["gates"], x), -1)

    def apply(self, params: PyTree, x: Any, key: Array | None = None) -> Any:
        for_trunk, for_heads = split_key(key, 2)
        return apply_heads(self.heads, params["heads"], self._features(params, x, for_trunk), True, for_heads)

    def _features(self, params: PyTree, x: Any, key: Array | None) -> Array:
        tasks = len(task_names(self.heads))
        for_shared, for_own = split_key(key, 2)
        experts = Stack(Stack(self.trunk, self.own), tasks).apply(params["own"], x, for_own)
        if self.shared:
            common = Stack(self.trunk, self.shared).apply(params["trunk"], x, for_shared)
            experts = jnp.concatenate([experts, jnp.broadcast_to(common, (tasks, *common.shape))], 1)
        return _weigh_own(self.gates(params, x), experts)


@dataclass(frozen=True, eq=False)
class PLE:
    """`CGC` level upon level, one per stage of the trunk, the common experts with a gate over all (Tang et al. 2020).

    Parameters: {"trunk": {level: {"shared", "own", "gates", "shared_gate"}}, "own": ..., "gates": ..., "heads": ...}.
    The last level has no "shared_gate", so that its own experts and gates are no other task's: they lie outside. What a
    level mixes for a task is the input of that task's experts and gate in the next one.
    """

    trunk: Network
    heads: Heads
    shared: int = 1
    own: int = 1

    def __post_init__(self) -> None:
        check_heads("PLE", self.heads)
        _check_counts("PLE", self.shared, self.own, least=1)

    def init(self, key: Array, x: Any) -> PyTree:
        levels, tasks = stages_of(self.trunk), len(task_names(self.heads))
        *keys, for_heads = jax.random.split(key, len(levels) + 1)
        own, common, axis = x, x, None
        trunk: dict[str, Any] = {}
        for i, (stage, one) in enumerate(zip(levels, keys, strict=True)):
            each, everyone, gates, gate = jax.random.split(one, 4)
            trunk[str(i)] = {
                "own": Stack(Stack(stage, self.own), tasks).start(each, own, axis),
                "shared": Stack(stage, self.shared).init(everyone, common),
                "gates": Stack(dense(self.own + self.shared), tasks).start(gates, own, axis),
            }
            if i < len(levels) - 1:
                trunk[str(i)]["shared_gate"] = dense(tasks * self.own + self.shared).init(gate, common)
            own, common = self._level(stage, trunk[str(i)], own, common, axis, None)
            axis = 0
        last = trunk[str(len(levels) - 1)]
        private = {name: last.pop(name) for name in ("own", "gates")}
        return {"trunk": trunk, **private, "heads": init_heads(self.heads, for_heads, own, own=True)}

    def apply(self, params: PyTree, x: Any, key: Array | None = None) -> Any:
        levels = stages_of(self.trunk)
        *keys, for_heads = split_key(key, len(levels) + 1)
        own, common, axis = x, x, None
        private = {name: params[name] for name in ("own", "gates")}
        for i, (stage, one) in enumerate(zip(levels, keys, strict=True)):
            level = params["trunk"][str(i)] if i < len(levels) - 1 else {**params["trunk"][str(i)], **private}
            own, common = self._level(stage, level, own, common, axis, one)
            axis = 0
        return apply_heads(self.heads, params["heads"], own, True, for_heads)

    def _level(
        self, stage: Network, params: PyTree, own: Any, common: Any, axis: int | None, key: Array | None
    ) -> tuple[Array, Any]:
        """What the tasks and what all of them pass on to the next level."""
        tasks = len(task_names(self.heads))
        for_own, for_common = split_key(key, 2)
        mine = Stack(Stack(stage, self.own), tasks).run(params["own"], own, for_own, axis)
        ours = Stack(stage, self.shared).apply(params["shared"], common, for_common)
        gates = jax.nn.softmax(Stack(dense(self.own + self.shared), tasks).run(params["gates"], own, None, axis), -1)
        seen = jnp.concatenate([mine, jnp.broadcast_to(ours, (tasks, *ours.shape))], 1)
        passed = _weigh_own(gates, seen)
        if "shared_gate" not in params:
            return passed, None
        gate = jax.nn.softmax(dense(tasks * self.own + self.shared).apply(params["shared_gate"], common), -1)
        everyone = jnp.concatenate([mine.reshape(-1, *mine.shape[2:]), ours])
        return passed, _weigh_own(gate[None], everyone[None])[0]


def _weigh_own(gates: Array, experts: Array) -> Array:
    """Σₑ gₜₙₑ fₜₑₙ… for gates (tasks, n, experts) and features (tasks, experts, n, ...): (tasks, n, ...)."""
    return einsum("tne,ten...->tn...", gates, experts)


def _check_counts(where: str, shared: int, own: int, least: int = 0) -> None:
    if shared < least or own < 1:
        raise ValueError(f"{where}: shared is {shared} and own is {own}, expected at least {least} and 1 experts.")
