"""Families of groups of entries given by their indices, and the levels of those that form trees."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxreg import _validate
from jaxreg._pytree import show
from jaxreg._typing import Array
from jaxreg.penalties.groups._grouping import Along
from jaxreg.penalties.groups._norms import norm


class Family(tuple[tuple[int, ...], ...]):
    """Groups that have been checked: a penalty is rebuilt at every call, and need not look at them again."""


class Level(NamedTuple):
    """Disjoint groups: the label of every entry, each group's number in the family, and which have none above.

    Entries in no group of the level have one label more than there are groups.
    """

    labels: tuple[int, ...]
    groups: tuple[int, ...]
    tops: tuple[bool, ...]


def family_of(groups: Any) -> Family:
    """Groups as tuples of indices. Raises ValueError unless they are not empty and cover 0..n-1."""
    if isinstance(groups, Family):
        return groups
    made = Family(tuple(int(i) for i in g) for g in groups)
    for g in made:
        if not g or len(set(g)) != len(g) or min(g) < 0:
            raise ValueError(f"group {g} must hold one or more different indices >= 0.")
    covered = {i for g in made for i in g}
    if missing := set(range(len(covered))) - covered:
        raise ValueError(f"index {min(missing)} is in no group: every entry must be in one or more.")
    return made


def entries(family: Family) -> int:
    """How many entries the groups cover."""
    return max((max(g) for g in family), default=-1) + 1


def fitted(where: str, family: Family, x: Array, axis: int) -> None:
    """Raise ValueError unless the groups cover the axis."""
    there = x.shape[axis] if -x.ndim <= axis < x.ndim else None
    if there != entries(family):
        raise ValueError(
            f"{where}: the array has shape {x.shape}, expected {entries(family)} entries on axis {axis}, those that "
            "the groups cover."
        )


def weights_of(weights: Any, family: Family, x: Array, axis: int) -> Array:
    """The weights in the array's dtype, by default the square root of the number of its entries in each group."""
    if weights is not None:
        return jnp.asarray(weights, x.dtype)
    others = math.prod(n for i, n in enumerate(x.shape) if i != axis % x.ndim)
    return jnp.asarray(np.sqrt([len(g) * others for g in family]), x.dtype)


def slices(x: Array, axis: int) -> Array:
    """The Euclidean norms (n,) of an array's slices along an axis, which are the magnitudes of a vector."""
    return norm(x, Along(tuple(i for i in range(x.ndim) if i != axis % x.ndim))).reshape(-1)


def scaled_slices(x: Array, factors: Array, axis: int) -> Array:
    """Every slice times its factor."""
    return x * factors.reshape(tuple(-1 if i == axis % x.ndim else 1 for i in range(x.ndim)))


def check_weights(where: str, weights: Any, family: Family, positive: bool = False) -> None:
    """Raise ValueError unless there is one finite weight >= 0, or > 0, per group; tracers and None pass."""
    if weights is None or _validate.traced(weights):
        return
    made = np.asarray(weights, float)
    sign = "> 0" if positive else ">= 0"
    right = np.isfinite(made) & ((made > 0) if positive else (made >= 0))
    if made.shape != (len(family),) or not np.all(right):
        raise ValueError(
            f"{where}: weights are {show(weights)}, expected {len(family)} finite numbers {sign}, one per group."
        )


@lru_cache(maxsize=64)
def levels(family: Family) -> tuple[Level, ...]:
    """Groups by levels, each group above those it contains. Raises ValueError unless they are nested or disjoint."""
    n = entries(family)
    depth, owner = [-1] * n, [-1] * n
    found: list[list[int]] = []
    for k in sorted(range(len(family)), key=lambda k: len(family[k])):
        group = family[k]
        inside = {owner[i] for i in group} - {-1}
        if len(group) != sum(owner[i] < 0 for i in group) + sum(len(family[j]) for j in inside):
            clash = next(j for j in inside if not set(family[j]) <= set(group))
            raise ValueError(f"groups {family[clash]} and {group} overlap and neither contains the other.")
        level = 1 + max(depth[i] for i in group)
        found.extend([] for _ in range(level + 1 - len(found)))
        found[level].append(k)
        for i in group:
            depth[i], owner[i] = level, k
    tops = set(owner)
    return tuple(Level(_labels(family, ks, n), tuple(ks), tuple(k in tops for k in ks)) for ks in found)


def _labels(family: Family, groups: Sequence[int], n: int) -> tuple[int, ...]:
    labels = [len(groups)] * n
    for label, k in enumerate(groups):
        for i in family[k]:
            labels[i] = label
    return tuple(labels)
