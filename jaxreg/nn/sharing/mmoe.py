"""Mixtures of experts with a gate per task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax

from jaxreg._linalg import einsum
from jaxreg._typing import Array, PyTree
from jaxreg.nn._module import Network, Stack, split_key
from jaxreg.nn.layers import dense
from jaxreg.nn.sharing._heads import Heads, apply_heads, check_heads, init_heads, task_names


@dataclass(frozen=True, eq=False)
class MMoE:
    """Experts for all and a softmax gate per task and row, xₜ = Σₑ gₜₑ(x) expertₑ(x) (Ma et al. 2018).

    Parameters: {"trunk": experts stacked on a leading axis, "gates": stacked by task, "heads": ...}. `gate` maps an
    input to one score per expert; affine in the flattened input by default. One expert is `HardSharing`.

    >>> import jax, jax.numpy as jnp
    >>> from jaxreg import nn
    >>> net = nn.MMoE(nn.mlp((8,)), nn.Stack(nn.dense(), 3), experts=4)
    >>> net.gates(net.init(jax.random.key(0), jnp.ones((5, 2))), jnp.ones((5, 2))).shape
    (3, 5, 4)
    """

    trunk: Network
    heads: Heads
    experts: int = 4
    gate: Network | None = None

    def __post_init__(self) -> None:
        check_heads("MMoE", self.heads)

    @property
    def _experts(self) -> Stack:
        return Stack(self.trunk, self.experts)

    @property
    def _gates(self) -> Stack:
        return Stack(self.gate or dense(self.experts), len(task_names(self.heads)))

    def init(self, key: Array, x: Any) -> PyTree:
        for_trunk, for_gates, for_heads = jax.random.split(key, 3)
        params = {"trunk": self._experts.init(for_trunk, x), "gates": self._gates.init(for_gates, x)}
        features = weigh(self.gates(params, x), self._experts.apply(params["trunk"], x))
        return {**params, "heads": init_heads(self.heads, for_heads, features, own=True)}

    def gates(self, params: PyTree, x: Any) -> Array:
        """How much every task takes from every expert, (tasks, n, experts), each row a distribution."""
        return jax.nn.softmax(self._gates.apply(params["gates"], x), -1)

    def apply(self, params: PyTree, x: Any, key: Array | None = None) -> Any:
        for_trunk, for_heads = split_key(key, 2)
        features = weigh(self.gates(params, x), self._experts.apply(params["trunk"], x, for_trunk))
        return apply_heads(self.heads, params["heads"], features, True, for_heads)


def weigh(gates: Array, experts: Array) -> Array:
    """Σₑ gₜₙₑ fₑₙ… for gates (tasks, n, experts) and features (experts, n, ...): (tasks, n, ...)."""
    return einsum("tne,en...->tn...", gates, experts)
