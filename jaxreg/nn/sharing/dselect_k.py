"""Sparse gates that can be differentiated: every task picks at most k experts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg._linalg import einsum
from jaxreg._typing import Array, PyTree
from jaxreg.nn._module import Network, Stack, split_key
from jaxreg.nn.sharing._heads import Heads, apply_heads, check_heads, init_heads, task_names


@dataclass(frozen=True, eq=False)
class DSelectK:
    """Every task mixes at most k experts, chosen by binary codes of smooth steps (Hazimeh et al. 2021, static gates).

    Selector s of task t picks expert e with rₑ = Πᵢ S(zᵢ) or 1 - S(zᵢ) by the i-th bit of e, where S is a cubic step
    that is exactly 0 below -γ/2 and 1 above γ/2; the selectors are mixed by a softmax. Once all codes are binary,
    `gates` has at most `k` nonzeros per task. `entropy` added to the loss hurries them there.

    Parameters: {"trunk": experts stacked, "gates": {"codes" (tasks, k, bits), "mixture" (tasks, k)}, "heads": ...}.
    Raises ValueError unless `experts` is a power of 2.
    """

    trunk: Network
    heads: Heads
    experts: int = 4
    k: int = 2
    gamma: float = 1.0

    def __post_init__(self) -> None:
        check_heads("DSelectK", self.heads)
        if self.experts < 2 or self.experts & (self.experts - 1):
            raise ValueError(f"DSelectK: experts is {self.experts}, expected a power of 2, so that every code is one.")
        if self.k < 1 or not self.gamma > 0:
            raise ValueError(f"DSelectK: k is {self.k} and gamma {self.gamma}, expected k >= 1 and gamma > 0.")

    def init(self, key: Array, x: Any) -> PyTree:
        for_trunk, for_codes, for_mixture, for_heads = jax.random.split(key, 4)
        trunk = Stack(self.trunk, self.experts).init(for_trunk, x)
        features = Stack(self.trunk, self.experts).apply(trunk, x)
        shape = (len(task_names(self.heads)), self.k)
        edge = self.gamma / 100
        bits = (self.experts - 1).bit_length()
        gates = {
            "codes": jax.random.uniform(for_codes, (*shape, bits), features.dtype, -edge, edge),
            "mixture": jax.random.uniform(for_mixture, shape, features.dtype, -0.05, 0.05),
        }
        mixed = self._mix({"gates": gates}, features)
        return {"trunk": trunk, "gates": gates, "heads": init_heads(self.heads, for_heads, mixed, own=True)}

    def selections(self, params: PyTree) -> Array:
        """What every selector of every task picks, (tasks, k, experts), each row a distribution."""
        step = smooth_step(params["gates"]["codes"], self.gamma)
        picked = (np.arange(self.experts)[:, None] >> np.arange(step.shape[-1])) & 1 == 1
        return jnp.prod(jnp.where(picked[None, None], step[:, :, None], 1 - step[:, :, None]), -1)

    def gates(self, params: PyTree) -> Array:
        """How much every task takes of every expert, (tasks, experts), each row a distribution."""
        mixture = jax.nn.softmax(params["gates"]["mixture"], -1)
        return jnp.sum(mixture[..., None] * self.selections(params), 1)

    def entropy(self, params: PyTree) -> Array:
        """Σ -r log r over selectors and tasks: 0 where every selector picks one expert."""
        r = self.selections(params)
        return -jnp.sum(r * jnp.log(jnp.where(r > 0, r, 1.0)))

    def apply(self, params: PyTree, x: Any, key: Array | None = None) -> Any:
        for_trunk, for_heads = split_key(key, 2)
        features = self._mix(params, Stack(self.trunk, self.experts).apply(params["trunk"], x, for_trunk))
        return apply_heads(self.heads, params["heads"], features, True, for_heads)

    def _mix(self, params: PyTree, features: Array) -> Array:
        return einsum("te,e...->t...", self.gates(params), features)


def smooth_step(z: Array, gamma: float) -> Array:
    """0 up to -γ/2, 1 from γ/2 on, -2z³/γ³ + 3z/(2γ) + ½ between."""
    t = jnp.clip(z / gamma, -0.5, 0.5)
    return -2 * t**3 + 1.5 * t + 0.5
