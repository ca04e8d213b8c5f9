"""What the library asks of a network: two functions on a plain tree of parameters, and three ways to combine such."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import jax

from jaxreg._typing import Array, PyTree


class Network(Protocol):
    """`init(key, x)` makes parameters for inputs like x, `apply(params, x, key=None)` predicts; rows come first in x.

    A key turns on what is random in training, such as dropout; without one the prediction is deterministic.
    """

    def init(self, key: Array, x: Any) -> PyTree:
        """Parameters for inputs like `x`."""

    def apply(self, params: PyTree, x: Any, key: Array | None = None) -> Any:
        """The prediction."""


@dataclass(frozen=True, eq=False)
class Module:
    """A network as a pair of pure functions, `init(key, x) -> params` and `apply(params, x, key=None) -> y`.

    >>> import jax, jax.numpy as jnp
    >>> from jaxreg import nn
    >>> scale = nn.Module(lambda key, x: {"scale": jnp.ones(())}, lambda params, x, key=None: params["scale"] * x)
    >>> scale.then(jnp.negative).apply(scale.init(jax.random.key(0), None), 2.0).item()
    -2.0
    """

    init: Callable[[Array, Any], PyTree]
    apply: Callable[..., Any]

    def then(self, function: Callable[[Any], Any]) -> Module:
        """The same parameters, the output passed through a function without any."""
        return Module(self.init, lambda params, x, key=None: function(self.apply(params, x, key)))


@dataclass(frozen=True, eq=False)
class Chain:
    """Networks one after the other; the parameters of the i-th are named by i, as in `0/kernel`.

    Architectures that act between the stages of a trunk take theirs from here; any other network is one stage.
    """

    stages: tuple[Network, ...]

    def __post_init__(self) -> None:
        if not self.stages:
            raise ValueError("Chain: there are no stages; give at least one network.")

    def init(self, key: Array, x: Any) -> PyTree:
        params = {}
        for i, (stage, one) in enumerate(zip(self.stages, jax.random.split(key, len(self.stages)), strict=True)):
            params[str(i)] = stage.init(one, x)
            x = stage.apply(params[str(i)], x)
        return params

    def apply(self, params: PyTree, x: Any, key: Array | None = None) -> Any:
        for i, (stage, one) in enumerate(zip(self.stages, split_key(key, len(self.stages)), strict=True)):
            x = stage.apply(params[str(i)], x, one)
        return x


@dataclass(frozen=True, eq=False)
class Stack:
    """`count` copies of one network, their parameters stacked on a leading axis and vmapped over.

    All copies see the same input, and outputs have a leading axis, too. As `heads` it means one head per task.

    >>> import jax, jax.numpy as jnp
    >>> from jaxreg import nn
    >>> heads = nn.Stack(nn.dense(3), 5)
    >>> params = heads.init(jax.random.key(0), jnp.ones((2, 4)))
    >>> params["kernel"].shape, heads.apply(params, jnp.ones((2, 4))).shape
    ((5, 4, 3), (5, 2, 3))
    """

    module: Network
    count: int

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"Stack: count is {self.count}, expected at least 1.")

    def init(self, key: Array, x: Any) -> PyTree:
        return self.start(key, x, None)

    def apply(self, params: PyTree, x: Any, key: Array | None = None) -> Any:
        return self.run(params, x, key, None)

    def start(self, key: Array, x: Any, axis: int | None) -> PyTree:
        """Stacked parameters; `axis` 0 gives every copy its own input, None all the same one."""
        return jax.vmap(self.module.init, (0, axis))(jax.random.split(key, self.count), x)

    def run(self, params: PyTree, x: Any, key: Array | None, axis: int | None) -> Any:
        """Stacked outputs; `axis` 0 gives every copy its own input, None all the same one."""
        keys = None if key is None else jax.random.split(key, self.count)
        return jax.vmap(self.module.apply, (0, axis, 0))(params, x, keys)


def stages_of(trunk: Network) -> tuple[Network, ...]:
    """The stages of a chain; any other network is its own only stage."""
    return trunk.stages if isinstance(trunk, Chain) else (trunk,)


def split_key(key: Array | None, count: int) -> list[Array | None]:
    """That many keys, or so many times None."""
    return [None] * count if key is None else list(jax.random.split(key, count))
