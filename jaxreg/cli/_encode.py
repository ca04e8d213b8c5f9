"""Columns as numbers: categories become indicators, targets are checked against the loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxreg.cli._errors import InputError

MOST_LEVELS = 50


def numbers(name: str, values: Any) -> np.ndarray:
    """The values as float64. Raises InputError for anything but real numbers and truth values."""
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise InputError(f"{name} holds {array.dtype} values, expected numbers.")
    return array.astype(np.float64)


def finite(values: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """The values. Raises InputError where there are no rows, or one is infinite."""
    if not len(values):
        raise InputError("no rows are left; expected at least a few per task.")
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        row, column = bad[0]
        raise InputError(f"column {names[column]!r} is infinite in row {row + 1}; replace or drop it.")
    return values


def is_number(column: Any) -> bool:
    """Whether a pandas column holds numbers or truth values."""
    return getattr(column.dtype, "kind", "O") in "biuf"


def one_hot(name: str, column: Any) -> tuple[np.ndarray, tuple[str, ...]]:
    """A feature as an (n, j) block and its names: numbers as they are, text as indicators without the first level.

    Raises InputError for too many levels, and for text among what are mostly numbers.
    """
    if is_number(column):
        return column.to_numpy(np.float64)[:, None], (name,)
    if getattr(column.dtype, "kind", "O") in "mM":
        raise InputError(f"column {name!r} holds dates; turn it into numbers, or drop it.")
    text = column.astype(str).to_numpy(object)
    levels = np.unique(text)
    parsed = np.array([_parses(v) for v in text])
    if parsed.mean() > 0.5:
        row = int(np.argmin(parsed))
        if not parsed.all():
            raise InputError(f"column {name!r} holds text, {text[row]!r} in row {row + 1}; expected a number.")
        return text.astype(np.float64)[:, None], (name,)
    if len(levels) > MOST_LEVELS:
        raise InputError(
            f"column {name!r} is text with {len(levels)} levels, at most {MOST_LEVELS} are made into indicators; "
            "drop it, or give it as --task."
        )
    block = (text[:, None] == levels[None, 1:]).astype(np.float64)
    return block, tuple(f"{name}={level}" for level in levels[1:])


def target(name: str, column: Any, loss: str) -> np.ndarray:
    """A target as float64 that suits the loss. Raises InputError otherwise, and where it is constant."""
    values = column.to_numpy() if hasattr(column, "to_numpy") else np.asarray(column)
    if values.dtype.kind not in "biuf":
        levels = np.unique(values.astype(str))
        if loss != "logistic" or len(levels) != 2:
            two = " with two values" if loss == "logistic" else ""
            raise InputError(f"target {name!r} holds text such as {str(levels[0])!r}; expected numbers{two}.")
        return np.asarray(values.astype(str) == levels[1], np.float64)
    y = values.astype(np.float64)
    distinct = np.unique(y)
    if len(distinct) == 1:
        raise InputError(f"target {name!r} is {distinct[0]:g} in every row; there is nothing to predict.")
    if loss == "logistic":
        if len(distinct) != 2:
            raise InputError(f"target {name!r} has {len(distinct)} values; --loss logistic needs two, such as 0/1.")
        return np.asarray(y == distinct[1], np.float64)
    if loss == "poisson" and distinct[0] < 0:
        raise InputError(f"target {name!r} has the value {distinct[0]:g}; --loss poisson needs counts >= 0.")
    return y


def _parses(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True
