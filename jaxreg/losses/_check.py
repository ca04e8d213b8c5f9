"""Parameters of losses in their ranges, looked at before anything is traced."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np


def ranged(loss: Any, name: str, low: float, high: float, *, closed: bool, hint: str = "") -> None:
    """Raise ValueError unless a concrete parameter lies between low and high, ends included where `closed`."""
    value = getattr(loss, name)
    if isinstance(value, jax.core.Tracer):
        return
    x = np.asarray(value)
    inside = (x >= low) & (x <= high) if closed else (x > low) & (x < high)
    if not np.all(inside):
        sign = "<=" if closed else "<"
        raise ValueError(f"{loss!r}: {name} is {value}, expected {low:g} {sign} {name} {sign} {high:g}.{hint}")


def positive(loss: Any, name: str, hint: str = "") -> None:
    """Raise ValueError unless a concrete parameter is positive and finite."""
    ranged(loss, name, 0.0, np.inf, closed=False, hint=hint)
