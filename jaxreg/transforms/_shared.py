"""Which parameters tasks share, how they are grouped, and the Gramian of their rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxreg import _tree
from jaxreg._typing import Array, ArrayLike, PyTree
from jaxreg.weightings import Weighting

GRANULARITY = (None, "layer", "leaf")


class Layout(NamedTuple):
    """The names of the groups and, for every leaf, the index of its group, or -1 if it is a task's own."""

    groups: tuple[str, ...]
    owner: tuple[int, ...]

    def members(self, group: int) -> list[int]:
        """The leaves of a group."""
        return [i for i, owner in enumerate(self.owner) if owner == group]

    @property
    def shared(self) -> list[int]:
        """The leaves that tasks share."""
        return [i for i, owner in enumerate(self.owner) if owner >= 0]

    def named(self, values: Sequence[Any], per: str | None) -> Any:
        """One value, or a dictionary of the groups' values by name."""
        return values[0] if per is None else dict(zip(self.groups, values, strict=True))


def layout(where: str, tree: PyTree, shared: str, per: str | None) -> Layout:
    """Group the leaves that match a glob: all together, per layer (the leaf's parent), or per leaf."""
    if per not in GRANULARITY:
        raise ValueError(f"{where}: per is {per!r}, expected None, 'layer' or 'leaf'.")
    names = _tree.names(tree)
    hits = set(_tree.matching(names, shared, f"{where}(shared={shared!r})"))
    owners = [_owner(name, per) if name in hits else None for name in names]
    groups = tuple(dict.fromkeys(owner for owner in owners if owner is not None))
    return Layout(groups, tuple(-1 if owner is None else groups.index(owner) for owner in owners))


def _owner(name: str, per: str | None) -> str:
    if per is None:
        return ""
    return name if per == "leaf" else name.rpartition("/")[0]


def mean(tree: PyTree, axis_name: str | None) -> PyTree:
    """The mean over devices, if there is an axis of them."""
    return tree if axis_name is None else jax.lax.pmean(tree, axis_name)


def masked(gramian: Array, present: ArrayLike | None) -> Array:
    """A Gramian in which absent tasks have a zero row and column."""
    if present is None:
        return gramian
    there = jnp.asarray(present, bool)
    return jnp.where(there[:, None] & there[None, :], gramian, 0.0)


def masked_rows(rows: Array, present: ArrayLike | None) -> Array:
    """An array with a leading task axis in which absent tasks have zeros."""
    if present is None:
        return rows
    there = jnp.asarray(present, bool).reshape(-1, *[1] * (rows.ndim - 1))
    return jnp.where(jnp.broadcast_to(there, rows.shape), rows, jnp.zeros_like(rows))


def check_mask(where: str, present: ArrayLike | None, tasks: int) -> None:
    """Raise ValueError unless a mask has one entry per task."""
    if present is not None and jnp.shape(present) != (tasks,):
        raise ValueError(f"{where}: present has shape {jnp.shape(present)}, expected ({tasks},), one per task.")


def check_weighting(where: str, weighting: Any) -> None:
    """Raise TypeError for what is no weighting, ValueError for one with parameters out of range."""
    if not isinstance(weighting, Weighting):
        raise TypeError(f"{where}: weighting is {weighting!r}, expected a value such as jaxreg.weightings.UPGrad().")
    weighting.check()
