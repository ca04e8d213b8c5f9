"""How the entries of an array fall into groups: along axes, or by labels on one axis."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg._typing import Array


class Grouping(Protocol):
    """Reductions to one number per group, the array's number of axes kept, and the way back to the entries."""

    def sum(self, x: Array) -> Array: ...
    def max(self, x: Array) -> Array: ...
    def spread(self, terms: Array, shape: tuple[int, ...]) -> Array: ...


class Along(NamedTuple):
    """Groups of the entries along axes (None: all of them)."""

    axis: Any

    def sum(self, x: Array) -> Array:
        """Sums of groups."""
        return jnp.sum(x, axis=self.axis, keepdims=True)

    def max(self, x: Array) -> Array:
        """Largest entries of groups of numbers >= 0."""
        return jnp.max(x, axis=self.axis, keepdims=True, initial=0)

    def spread(self, terms: Array, shape: tuple[int, ...]) -> Array:
        """Every entry its group's number."""
        return jnp.broadcast_to(terms, shape)


class Labelled(NamedTuple):
    """Groups of the entries of one axis that bear one label 0..groups-1; `joint` takes the other axes with them."""

    labels: Sequence[int]
    groups: int
    axis: int
    joint: bool

    def sum(self, x: Array) -> Array:
        """Sums of groups."""
        return self._reduced(x, jnp.sum, jax.ops.segment_sum)

    def max(self, x: Array) -> Array:
        """Largest entries of groups of numbers >= 0."""
        return jnp.maximum(self._reduced(x, jnp.max, jax.ops.segment_max), 0)

    def spread(self, terms: Array, shape: tuple[int, ...]) -> Array:
        """Every entry its group's number."""
        taken = jnp.take(terms, np.asarray(self.labels, np.int32), axis=self.axis, mode="clip")
        return jnp.broadcast_to(taken, shape)

    def sizes(self, shape: tuple[int, ...]) -> np.ndarray:
        """How many entries of an array of this shape each group has."""
        others = math.prod(shape) // max(len(self.labels), 1) if self.joint else 1
        return np.bincount(np.asarray(self.labels, int), minlength=self.groups) * others

    def shaped(self, terms: Array, ndim: int) -> Array:
        """One number per group as an array of `ndim` axes."""
        return terms.reshape(tuple(-1 if i == self.axis % ndim else 1 for i in range(ndim)))

    def _reduced(self, x: Array, over: Callable[..., Array], segment: Callable[..., Array]) -> Array:
        if self.joint and x.ndim > 1 and x.size:
            x = over(x, axis=tuple(i for i in range(x.ndim) if i != self.axis % x.ndim), keepdims=True)
        rows = jnp.moveaxis(x, self.axis, 0)
        made = segment(rows, np.asarray(self.labels, np.int32), num_segments=self.groups)
        return jnp.moveaxis(made, 0, self.axis)
