"""A trunk for every task, alone or tied to the others by a penalty."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import jax

from jaxreg._typing import Array, PyTree
from jaxreg.nn._module import Network, Stack, split_key
from jaxreg.nn.sharing._heads import Heads, apply_heads, check_heads, init_heads, task_names
from jaxreg.penalties import Penalty, ToMean


@dataclass(frozen=True, eq=False)
class Independent:
    """A trunk and a head for every task, yₜ = headₜ(trunkₜ(x)): single-task learning, all tasks in one program.

    Parameters: {"trunk": stacked on a leading task axis, "heads": ...}.
    """

    trunk: Network
    heads: Heads

    def __post_init__(self) -> None:
        check_heads("Independent", self.heads)

    @property
    def _trunks(self) -> Stack:
        return Stack(self.trunk, len(task_names(self.heads)))

    def init(self, key: Array, x: Any) -> PyTree:
        for_trunk, for_heads = jax.random.split(key)
        trunk = self._trunks.init(for_trunk, x)
        return {"trunk": trunk, "heads": init_heads(self.heads, for_heads, self._trunks.apply(trunk, x), own=True)}

    def apply(self, params: PyTree, x: Any, key: Array | None = None) -> Any:
        for_trunk, for_heads = split_key(key, 2)
        features = self._trunks.apply(params["trunk"], x, for_trunk)
        return apply_heads(self.heads, params["heads"], features, True, for_heads)


@dataclass(frozen=True, eq=False)
class SoftSharing:
    """A trunk for every task, all started alike and tied by a penalty along the task axis (Duong et al. 2015).

    Parameters as in `Independent`. `penalty` sees the stacked leaves, the task axis first: `strength * ToMean(axis=0)`,
    `Chain`, `Graph` and other smooth ones are given to `fit` as `penalty=net.placed`; one with kinks, such as
    `Nuclear` or `L2(axis=0)`, belongs in `jaxreg.proximal`, the last optax link.

    >>> from jaxreg import nn
    >>> import jaxreg as jr
    >>> nn.SoftSharing(nn.mlp((8,)), nn.Stack(nn.dense(), 3), 0.1 * jr.ToMean(axis=0)).placed
    (0.1 * ToMean()).on('trunk')
    """

    trunk: Network
    heads: Heads
    penalty: Penalty = field(default_factory=ToMean)

    def __post_init__(self) -> None:
        check_heads("SoftSharing", self.heads)

    @property
    def placed(self) -> Penalty:
        """The penalty on the trunk's leaves."""
        return self.penalty.on("trunk")

    @property
    def _own(self) -> Independent:
        return Independent(self.trunk, self.heads)

    def init(self, key: Array, x: Any) -> PyTree:
        params = self._own.init(key, x)
        return {**params, "trunk": jax.tree.map(lambda a: a[:1].repeat(a.shape[0], 0), params["trunk"])}

    def apply(self, params: PyTree, x: Any, key: Array | None = None) -> Any:
        return self._own.apply(params, x, key)
