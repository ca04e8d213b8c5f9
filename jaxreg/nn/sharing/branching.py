"""Learned branching: which tasks part, and after which stage, is learned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from jaxreg._linalg import einsum
from jaxreg._typing import Array, PyTree
from jaxreg.nn._module import Network, Stack, split_key, stages_of
from jaxreg.nn.sharing._heads import Heads, apply_heads, check_heads, init_heads, task_names


@dataclass(frozen=True, eq=False)
class LearnedBranching:
    """Copies of every stage, each picking one of the stage before, and tasks one of the last (Guo et al. 2020).

    A pick is drawn from softmax((logits + Gumbel noise) / temperature), by the key given to `apply`; without a key it
    is the likeliest, so that the network is a tree. A low temperature makes picks sharp and gradients noisy.

    Parameters: {"trunk": {"stages": {i: stacked by copy}, "picks": {i: logits (copies, copies)}}, "picks": logits
    (tasks, copies), "heads": ...}; the first stage has nothing to pick.
    """

    trunk: Network
    heads: Heads
    copies: int = 2
    temperature: float = 1.0

    def __post_init__(self) -> None:
        check_heads("LearnedBranching", self.heads)

    def init(self, key: Array, x: Any) -> PyTree:
        stages, tasks = stages_of(self.trunk), len(task_names(self.heads))
        *keys, for_heads = jax.random.split(key, len(stages) + 1)
        made: dict[str, Any] = {"stages": {}, "picks": {}}
        for i, (stage, one) in enumerate(zip(stages, keys, strict=True)):
            if i:
                made["picks"][str(i)] = jnp.zeros((self.copies, self.copies), x.dtype)
                x = draw(made["picks"][str(i)], x, None, self.temperature)
            made["stages"][str(i)] = Stack(stage, self.copies).start(one, x, 0 if i else None)
            x = Stack(stage, self.copies).run(made["stages"][str(i)], x, None, 0 if i else None)
        picks = jnp.zeros((tasks, self.copies), x.dtype)
        x = draw(picks, x, None, self.temperature)
        return {"trunk": made, "picks": picks, "heads": init_heads(self.heads, for_heads, x, own=True)}

    def apply(self, params: PyTree, x: Any, key: Array | None = None, temperature: Any = None) -> Any:
        stages, trunk = stages_of(self.trunk), params["trunk"]
        heat = self.temperature if temperature is None else temperature
        *keys, for_pick, for_heads = split_key(key, len(stages) + 2)
        for i, (stage, one) in enumerate(zip(stages, keys, strict=True)):
            for_draw, for_stage = split_key(one, 2)
            x = draw(trunk["picks"][str(i)], x, for_draw, heat) if i else x
            x = Stack(stage, self.copies).run(trunk["stages"][str(i)], x, for_stage, 0 if i else None)
        x = draw(params["picks"], x, for_pick, heat)
        return apply_heads(self.heads, params["heads"], x, True, for_heads)

    def branches(self, params: PyTree) -> list[Array]:
        """The likeliest picks: the parent of every copy from the second stage on, then the copy of every task."""
        inner = [params["trunk"]["picks"][str(i)] for i in range(1, len(stages_of(self.trunk)))]
        return [jnp.argmax(logits, -1) for logits in [*inner, params["picks"]]]


def draw(logits: Array, features: Array, key: Array | None, temperature: Any) -> Array:
    """One of the features (copies, ...) for every row of the logits, softly with a key, the likeliest without."""
    if key is None:
        return features[jnp.argmax(logits, -1)]
    noisy = (logits + jax.random.gumbel(key, logits.shape, logits.dtype)) / temperature
    pick = jax.nn.softmax(noisy, -1)
    return einsum("te,e...->t...", pick, features)
