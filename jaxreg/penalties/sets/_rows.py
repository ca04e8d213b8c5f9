"""Groups as rows: what is grouped on the last axis."""

from __future__ import annotations

import jax.numpy as jnp

from jaxreg._typing import Array


def to_rows(x: Array, axis: int | None) -> Array:
    """The groups along an axis on the last one; the whole array as one row for `None`."""
    return x.reshape(-1) if axis is None else jnp.moveaxis(x, axis, -1)


def from_rows(rows: Array, shape: tuple[int, ...], axis: int | None) -> Array:
    """Back to an array of this shape."""
    return rows.reshape(shape) if axis is None else jnp.moveaxis(rows, -1, axis)


def per_row(terms: Array, ndim: int, axis: int | None) -> Array:
    """One number per row as an array of `ndim` axes, the grouped ones of size 1."""
    return terms.reshape((1,) * ndim) if axis is None else jnp.expand_dims(terms, axis)
