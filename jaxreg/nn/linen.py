"""Flax linen modules as networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
from flax import linen

from jaxreg._typing import Array, PyTree
from jaxreg.nn._module import Module


def from_linen(
    module: linen.Module, train: Mapping[str, Any] | None = None, evaluate: Mapping[str, Any] | None = None
) -> Module:
    """A flax linen module as a network on the plain dictionary of its parameters.

    `train` and `evaluate` are keyword arguments of the module's call with and without a key, as in
    `train={"deterministic": False}, evaluate={"deterministic": True}`; with a key its "dropout" stream is served.

    Raises TypeError for anything but a linen module, and ValueError, at `init`, for a module that keeps state beside
    its parameters, such as batch statistics: a step would change it behind the back of a pure function.

    >>> import jax, jax.numpy as jnp
    >>> from flax import linen
    >>> from jaxreg import nn
    >>> net = nn.from_linen(linen.Dense(2))
    >>> sorted(net.init(jax.random.key(0), jnp.ones((1, 3))))
    ['bias', 'kernel']
    """
    if not isinstance(module, linen.Module):
        raise TypeError(f"from_linen: module is {type(module).__name__}, expected a flax.linen.Module instance.")
    on, off = dict(train or {}), dict(evaluate or {})

    def init(key: Array, x: Any) -> PyTree:
        own, dropped = jax.random.split(key)
        variables = dict(module.init({"params": own, "dropout": dropped}, x, **off))
        params = variables.pop("params", {})
        if variables:
            raise ValueError(
                f"from_linen: {type(module).__name__} keeps state beside its parameters ({', '.join(variables)}); "
                "use modules without running state, such as GroupNorm or LayerNorm in place of BatchNorm."
            )
        return params

    def apply(params: PyTree, x: Any, key: Array | None = None) -> Any:
        if key is None:
            return module.apply({"params": params}, x, **off)
        return module.apply({"params": params}, x, rngs={"dropout": key}, **on)

    return Module(init, apply)
