"""Frozen dataclasses that JAX sees through: the one way values are made in this library."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar, dataclass_transform

import jax
import numpy as np

T = TypeVar("T")


def static(*, default: Any = dataclasses.MISSING) -> Any:
    """Declare a field that is part of the structure (hashable, fixed while tracing), not a leaf.

    >>> from jaxreg import pytree, static
    >>> @pytree
    ... class Power:
    ...     exponent: int = static(default=2)
    >>> Power(3).exponent
    3
    """
    return dataclasses.field(metadata={"static": True}, default=default)


@dataclass_transform(frozen_default=True, eq_default=False, field_specifiers=(static, dataclasses.field))
def pytree(cls: type[T]) -> type[T]:
    """Make a class a frozen dataclass whose fields are pytree leaves, except those declared `static`.

    Two instances are never compared by value: leaves may be tracers. `repr` is the expression that rebuilds it, static
    fields at their default left out.

    >>> import jax, jaxreg as jr
    >>> @jr.pytree
    ... class Point:
    ...     x: float = 0.0
    >>> jax.tree.leaves(Point(2.0)), Point(2.0)
    ([2.0], Point(x=2.0))
    """
    made: Any = dataclasses.dataclass(frozen=True, eq=False, repr=False)(cls)
    fields = dataclasses.fields(made)
    meta = [f.name for f in fields if f.metadata.get("static", False)]
    data = [f.name for f in fields if f.name not in meta]
    _register(made, data, meta)
    if "__repr__" not in cls.__dict__ and cls.__repr__ is object.__repr__:
        made.__repr__ = _repr
    return made


def _register(cls: type, data: list[str], meta: list[str]) -> None:
    """Register by functions: structures made by `register_dataclass` compare equal across classes (JAX 0.10.2).

    With equal fields jit then takes one class for another now and then: the program of L1 would run for Ridge.
    """
    keys = [jax.tree_util.GetAttrKey(name) for name in data]

    def flatten(value: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        return tuple(getattr(value, n) for n in data), tuple(getattr(value, n) for n in meta)

    def flatten_with_keys(value: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        leaves, aux = flatten(value)
        return tuple(zip(keys, leaves, strict=True)), aux

    def unflatten(aux: tuple[Any, ...], leaves: Any) -> Any:
        return cls(**dict(zip(meta, aux, strict=True)), **dict(zip(data, leaves, strict=True)))

    jax.tree_util.register_pytree_with_keys(cls, flatten_with_keys, unflatten, flatten)


def show(value: Any) -> str:
    """Write a leaf so that evaluating the text gives it back (`array`, `inf` and dtype names in scope)."""
    if isinstance(value, jax.core.Tracer):
        return f"<traced {value.aval}>"
    if isinstance(value, (jax.Array, np.ndarray, np.generic)):
        array = np.asarray(value)
        with np.printoptions(floatmode="unique"):
            return repr(array.item()) if array.ndim == 0 else repr(array)
    return repr(value)


def _repr(self: Any) -> str:
    parts = (f"{f.name}={show(getattr(self, f.name))}" for f in dataclasses.fields(self) if _is_shown(self, f))
    return f"{type(self).__name__}({', '.join(parts)})"


def _is_shown(self: Any, field: dataclasses.Field[Any]) -> bool:
    at_default = field.metadata.get("static", False) and getattr(self, field.name) == field.default
    return field.repr and not at_default
