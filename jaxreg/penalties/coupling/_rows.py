"""Arrays as matrices with one row for each task."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp

from jaxreg._linalg import widen
from jaxreg._typing import Array


def rows_along(x: Array, axis: int) -> Array:
    """The array as a matrix (tasks, rest) in at least float32."""
    moved = jnp.moveaxis(x, axis, 0)
    return widen(moved.reshape(moved.shape[0], math.prod(moved.shape[1:])))


def array_of(rows: Array, like: Array, axis: int) -> Array:
    """Undo `rows_along`; one row gives an axis of size 1."""
    rest = jnp.moveaxis(like, axis, 0).shape[1:]
    return jnp.moveaxis(rows.reshape(rows.shape[0], *rest), 0, axis).astype(like.dtype)


def step_rows(step: Any, rows: Array, axis: int) -> Array:
    """A step, a number or one for each column with the axis kept, as (1, 1) or (1, rest)."""
    step = jnp.asarray(step, rows.dtype)
    return jnp.moveaxis(step, axis, 0).reshape(1, -1) if step.ndim else step.reshape(1, 1)
