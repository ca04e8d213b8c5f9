"""The axes of a sweep: what enters, checked, and the points of their product."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg import _tree, _validate
from jaxreg._pytree import pytree, static
from jaxreg._typing import Array, PyTree

WHERE = "sweep"


@pytree
class Axes:
    """Values by name, trees with a leading axis of the size given; names and sizes in the order of the product."""

    values: dict[str, PyTree]
    names: tuple[str, ...] = static()
    sizes: tuple[int, ...] = static()

    def __len__(self) -> int:
        return math.prod(self.sizes)

    def at(self, index: Array) -> dict[str, PyTree]:
        """The values at one point, an index per axis, as keyword arguments."""
        places = dict(zip(self.names, index, strict=True))
        return {name: jax.tree.map(lambda x, i=i: x[i], self.values[name]) for name, i in places.items()}

    def points(self, start: int, stop: int) -> np.ndarray:
        """The indices of points start to stop, (stop - start, axes), the last axis fastest; the last point repeats."""
        flat = np.minimum(np.arange(start, stop), len(self) - 1)
        return np.stack(np.unravel_index(flat, self.sizes), 1).astype(np.int32)


def read(axes: Any) -> Axes:
    """Check what was given. Raises TypeError or ValueError that names the axis."""
    if not isinstance(axes, Mapping) or not axes or not all(isinstance(name, str) for name in axes):
        raise TypeError(
            f"{WHERE}: axes is {axes!r:.80}, expected a dictionary from the names of fit's arguments to their values, "
            'such as {"strength": strengths, "seed": seeds}.'
        )
    values = {name: _value(name, value) for name, value in axes.items()}
    return Axes(values, tuple(values), tuple(_size(name, value) for name, value in values.items()))


def _value(name: str, value: Any) -> PyTree:
    if isinstance(value, Sequence) and not isinstance(value, tuple):
        value = np.asarray(value)
    return jax.tree.map(
        lambda x: x if _tree.is_key(x) else _validate.array(WHERE, f"axis {name!r}", x, labels=True), value
    )


def _size(name: str, value: PyTree) -> int:
    shapes = [jnp.shape(x) for x in jax.tree.leaves(value)]
    lengths = {shape[0] if shape else None for shape in shapes}
    if len(lengths) != 1 or None in lengths or 0 in lengths:
        each = ", ".join(f"{leaf or 'it'} {shape}" for leaf, shape in zip(_tree.names(value), shapes, strict=True))
        raise ValueError(
            f"{WHERE}: axis {name!r} has no leading axis of one length, at least 1: {each or 'it is empty'}. Give an "
            "array or a list, or a tree of arrays that vary together."
        )
    return int(lengths.pop() or 0)
