"""Cross-stitch: a trunk for every task, mixed linearly after every stage."""

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
class CrossStitch:
    """After every stage each task's features become a learned mixture, xₛ ← Σₜ αₛₜ xₜ (Misra et al. 2016).

    Parameters: {"trunk": {"stages": {i: stacked by task}, "stitch": {i: α (tasks, tasks)}}, "heads": ...}. `own` is
    the initial αₜₜ, the rest is spread over the other tasks; 1 starts, and without training stays, at `Independent`.
    With `by_channel` every channel, the last axis, has its own α, (tasks, tasks, channels).
    """

    trunk: Network
    heads: Heads
    own: float = 0.9
    by_channel: bool = False

    def __post_init__(self) -> None:
        check_heads("CrossStitch", self.heads)

    def init(self, key: Array, x: Any) -> PyTree:
        stages, tasks = stages_of(self.trunk), len(task_names(self.heads))
        for_trunk, for_heads = jax.random.split(key)
        params: dict[str, Any] = {"stages": {}, "stitch": {}}
        for i, (stage, one) in enumerate(zip(stages, jax.random.split(for_trunk, len(stages)), strict=True)):
            copies, axis = Stack(stage, tasks), 0 if i else None
            params["stages"][str(i)] = copies.start(one, x, axis)
            x = copies.run(params["stages"][str(i)], x, None, axis)
            params["stitch"][str(i)] = self._start(x)
            x = mix(params["stitch"][str(i)], x)
        return {"trunk": params, "heads": init_heads(self.heads, for_heads, x, own=True)}

    def apply(self, params: PyTree, x: Any, key: Array | None = None) -> Any:
        stages, tasks, trunk = stages_of(self.trunk), len(task_names(self.heads)), params["trunk"]
        *keys, for_heads = split_key(key, len(stages) + 1)
        for i, (stage, one) in enumerate(zip(stages, keys, strict=True)):
            x = Stack(stage, tasks).run(trunk["stages"][str(i)], x, one, 0 if i else None)
            x = mix(trunk["stitch"][str(i)], x)
        return apply_heads(self.heads, params["heads"], x, True, for_heads)

    def _start(self, features: Array) -> Array:
        tasks = features.shape[0]
        eye = jnp.eye(tasks, dtype=features.dtype)
        alpha = self.own * eye + (1 - self.own) / max(tasks - 1, 1) * (1 - eye)
        return alpha[..., None].repeat(features.shape[-1], -1) if self.by_channel else alpha


def mix(alpha: Array, features: Array) -> Array:
    """Σₜ αₛₜ xₜ for features (tasks, n, ..., c) and α (tasks, tasks) or (tasks, tasks, c)."""
    form = "st,t...->s..." if alpha.ndim == 2 else "stc,t...c->s...c"
    return einsum(form, alpha, features)
