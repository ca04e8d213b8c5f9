"""Flax nnx modules as networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from flax import nnx

from jaxreg import _tree
from jaxreg._typing import Array, PyTree
from jaxreg.nn._module import Module


def from_nnx(make: Callable[[nnx.Rngs], Any]) -> Module:
    """A flax nnx module as a network on the plain dictionary of its `nnx.Param` values.

    `make` builds the module from random streams, as in `lambda rngs: nnx.Linear(3, 2, rngs=rngs)`: every seed, task and
    expert is built anew. Sharing is done by the architectures, never by one `Param` in two places.

    Raises TypeError for a module that is already built, ValueError for one that holds state beside its parameters, such
    as batch statistics or dropout's streams.

    >>> import jax, jax.numpy as jnp
    >>> from flax import nnx
    >>> from jaxreg import nn
    >>> net = nn.from_nnx(lambda rngs: nnx.Linear(3, 2, rngs=rngs))
    >>> net.apply(net.init(jax.random.key(0), None), jnp.ones((5, 3))).shape
    (5, 2)
    """
    if isinstance(make, nnx.Module) or not callable(make):
        raise TypeError(
            f"from_nnx: got {type(make).__name__}, expected a function that builds the module, as in "
            "from_nnx(lambda rngs: nnx.Linear(3, 2, rngs=rngs)): a module that is built has one set of parameters only."
        )
    abstract = nnx.eval_shape(lambda: make(nnx.Rngs(0)))
    graph, *states = nnx.split(abstract, nnx.Param, ...)
    state, rest = states
    kept = _tree.names(nnx.to_pure_dict(rest))
    if kept:
        raise ValueError(
            f"from_nnx: {type(abstract).__name__} holds state beside its parameters ({', '.join(kept)}); use modules "
            "without running state, and jaxreg.stochastic.dropout or a linen module for dropout."
        )

    def init(key: Array, x: Any) -> PyTree:
        return nnx.to_pure_dict(nnx.split(make(nnx.Rngs(key)), nnx.Param, ...)[1])

    def apply(params: PyTree, x: Any, key: Array | None = None) -> Any:
        filled = jax.tree.map(lambda leaf: leaf, state)  # a copy: the next line writes into it
        nnx.replace_by_pure_dict(filled, params)
        return nnx.merge(graph, filled)(x)

    return Module(init, apply)
