"""Hard sharing: one trunk for all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax

from jaxreg._typing import Array, PyTree
from jaxreg.nn._module import Network, split_key
from jaxreg.nn.sharing._heads import Heads, apply_heads, check_heads, init_heads


@dataclass(frozen=True, eq=False)
class HardSharing:
    """One trunk for all tasks and a head for each, yₜ = headₜ(trunk(x)) (Caruana 1997).

    Parameters: {"trunk": ..., "heads": ...}; the trunk's gradient is the sum of the tasks'. `heads` is
    `Stack(module, tasks)` or a dictionary of networks by task.

    >>> import jax, jax.numpy as jnp
    >>> from jaxreg import nn
    >>> net = nn.HardSharing(nn.mlp((8,)), {"height": nn.dense(), "kind": nn.dense(3)})
    >>> x = jnp.ones((5, 4))
    >>> {task: y.shape for task, y in net.apply(net.init(jax.random.key(0), x), x).items()}
    {'height': (5,), 'kind': (5, 3)}
    """

    trunk: Network
    heads: Heads

    def __post_init__(self) -> None:
        check_heads("HardSharing", self.heads)

    def init(self, key: Array, x: Any) -> PyTree:
        for_trunk, for_heads = jax.random.split(key)
        trunk = self.trunk.init(for_trunk, x)
        return {"trunk": trunk, "heads": init_heads(self.heads, for_heads, self.trunk.apply(trunk, x), own=False)}

    def apply(self, params: PyTree, x: Any, key: Array | None = None) -> Any:
        for_trunk, for_heads = split_key(key, 2)
        features = self.trunk.apply(params["trunk"], x, for_trunk)
        return apply_heads(self.heads, params["heads"], features, False, for_heads)
