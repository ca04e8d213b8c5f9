"""Checks of what says which entry belongs to which group."""

from __future__ import annotations

from typing import Any

import numpy as np

from jaxreg import _validate
from jaxreg._pytree import show
from jaxreg._typing import Array


class Labels(tuple[int, ...]):
    """Labels that have been checked: a penalty is rebuilt at every call, and need not look at them again."""


def labels_of(labels: Any) -> Labels:
    """Labels 0..G-1 as a tuple. Raises ValueError unless each of them is in use."""
    if isinstance(labels, Labels):
        return labels
    made = np.asarray(labels)
    if made.ndim != 1 or (made.size and made.dtype.kind not in "iu"):
        raise ValueError(f"labels have shape {made.shape} and dtype {made.dtype}, expected one integer per entry.")
    used = np.unique(made)
    if not np.array_equal(used, np.arange(len(used))):
        raise ValueError(
            f"labels are {show(used)}, expected every number 0..G-1; numpy.unique(labels, return_inverse=True)[1] "
            "numbers groups of any names."
        )
    return Labels(int(i) for i in made)


def check_weights(where: str, weights: Any, count: int) -> None:
    """Raise ValueError unless there is one finite weight >= 0 per group; tracers pass."""
    if _validate.traced(weights):
        return
    made = np.asarray(weights, float)
    if made.shape != (count,) or not np.all(np.isfinite(made) & (made >= 0)):
        raise ValueError(f"{where}: weights are {show(made)}, expected {count} finite numbers >= 0, one per group.")


def check_axis(where: str, x: Array, axis: int, length: int) -> None:
    """Raise ValueError unless the axis has one entry for every label."""
    there = x.shape[axis] if -x.ndim <= axis < x.ndim else None
    if there != length:
        raise ValueError(
            f"{where}: the array has shape {x.shape}, expected {length} entries on axis {axis}, one for every label."
        )
