"""Task attention: one trunk, and for every task a soft mask on each stage's features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from jaxreg._typing import Array, PyTree
from jaxreg.nn._module import Chain, Network, Stack, split_key, stages_of
from jaxreg.nn.layers import channels
from jaxreg.nn.sharing._heads import Heads, apply_heads, check_heads, init_heads, task_names


@dataclass(frozen=True, eq=False)
class MTAN:
    """One trunk; after each stage every task masks the common features, aₜ = σ(attendₜ([p, aₜ before])) p.

    Liu, Johns and Davison (2019) in a form for any trunk: the attention is two layers on channels (1x1 convolutions),
    of `width` hidden ones, by default as many as the features have; what the stage before attended to is resized to
    the features' shape. Parameters: {"trunk": ..., "attention": {i: stacked by task}, "heads": ...}.
    """

    trunk: Network
    heads: Heads
    width: int | None = None

    def __post_init__(self) -> None:
        check_heads("MTAN", self.heads)

    def init(self, key: Array, x: Any) -> PyTree:
        stages = stages_of(self.trunk)
        for_trunk, for_attention, for_heads = jax.random.split(key, 3)
        trunk, attention = self.trunk.init(for_trunk, x), {}
        attended: Any = None
        for i, one in enumerate(jax.random.split(for_attention, len(stages))):
            x = stages[i].apply(_of_stage(self.trunk, trunk, i), x)
            seen = self._seen(x, attended)
            attention[str(i)] = self._attention(x).start(one, seen, 0)
            attended = self._attend(attention[str(i)], x, seen)
        heads = init_heads(self.heads, for_heads, attended, own=True)
        return {"trunk": trunk, "attention": attention, "heads": heads}

    def apply(self, params: PyTree, x: Any, key: Array | None = None) -> Any:
        stages = stages_of(self.trunk)
        *keys, for_heads = split_key(key, len(stages) + 1)
        attended: Any = None
        for i, (stage, one) in enumerate(zip(stages, keys, strict=True)):
            x = stage.apply(_of_stage(self.trunk, params["trunk"], i), x, one)
            attended = self._attend(params["attention"][str(i)], x, self._seen(x, attended))
        return apply_heads(self.heads, params["heads"], attended, True, for_heads)

    def _attention(self, features: Array) -> Stack:
        size = features.shape[-1]
        two = Chain((channels(self.width or size, jax.nn.relu), channels(size, jax.nn.sigmoid)))
        return Stack(two, len(task_names(self.heads)))

    def _seen(self, features: Array, attended: Any) -> Array:
        """What the attention looks at: (tasks, n, ..., channels)."""
        ours = jnp.broadcast_to(features, (len(task_names(self.heads)), *features.shape))
        if attended is None:
            return ours
        shape = (*ours.shape[:-1], attended.shape[-1])
        return jnp.concatenate([ours, jax.image.resize(attended, shape, "linear")], -1)

    def _attend(self, params: PyTree, features: Array, seen: Array) -> Array:
        return self._attention(features).run(params, seen, None, 0) * features[None]


def _of_stage(trunk: Network, params: PyTree, i: int) -> PyTree:
    return params[str(i)] if isinstance(trunk, Chain) else params
