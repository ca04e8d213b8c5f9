"""What working sets need of the features: products with all of them from the left, and some of them by number."""

from __future__ import annotations

from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg import _validate
from jaxreg._linalg import matmul
from jaxreg._typing import Array

_BITS, _NEAR = 1e-12, 2.0
"""Means stay where they cost no more than this part of a standard deviation by rounding, or are so few of them."""


class Design(Protocol):
    """Features (n, p) that are only ever multiplied and gathered."""

    shape: tuple[int, ...]

    def pull(self, rows: Array) -> Array:
        """`rows` (..., n) times X, (..., p)."""
        ...

    def columns(self, chosen: np.ndarray) -> Array:
        """The features of these numbers, (n, width); zeros for numbers from p on."""
        ...

    def about(self, mean: Array) -> tuple[Design, Array]:
        """Features from which this mean, or nothing where it would cost no digits, is subtracted; and what was."""
        ...


class Dense:
    """An array on a device, or the host's own, which is read where it lies."""

    def __init__(self, X: Array | np.ndarray) -> None:
        self.X = X
        self.shape: tuple[int, ...] = X.shape

    def pull(self, rows: Array) -> Array:
        if not isinstance(self.X, np.ndarray):
            return pull(rows, self.X)
        made = _validate.aligned((*rows.shape[:-1], self.shape[1]), self.X.dtype)
        flat = np.asarray(rows).reshape(-1, self.shape[0])
        np.matmul(flat, self.X, out=made.reshape(len(flat), self.shape[1]))
        return jax.device_put(made)

    def columns(self, chosen: np.ndarray) -> Array:
        if not isinstance(self.X, np.ndarray):
            return columns(self.X, chosen)
        real = chosen[chosen < self.shape[1]]
        made = _validate.aligned((self.shape[0], len(chosen)), self.X.dtype)
        made[:, : len(real)] = self.X[:, real]
        made[:, len(real) :] = 0
        return jax.device_put(made)

    def about(self, mean: Array) -> tuple[Design, Array]:
        X = self.X
        square = np.einsum("ij,ij->j", X, X) if isinstance(X, np.ndarray) else np.asarray(_squares(X))
        centre = np.asarray(mean)
        spread = square / len(X) - np.square(centre)
        far = max(_NEAR, _BITS / float(np.finfo(centre.dtype).eps))
        if (np.square(centre) <= np.square(far) * spread).all():
            return self, jnp.zeros_like(mean)
        if not isinstance(X, np.ndarray):
            return Dense(centred(X, mean)), mean
        made = _validate.aligned(X.shape, X.dtype)
        np.subtract(X, centre, out=made)
        made[:, np.abs(made).max(0) <= _noise(centre)] = 0
        return Dense(made), mean


class Sparse:
    """A scipy.sparse matrix in the host's memory, never densified but for the columns asked for."""

    def __init__(self, X: Any) -> None:
        self.by_column = X.tocsc()
        self.turned = self.by_column.T  # compressed by row: products with dense columns stream through it
        self.shape: tuple[int, ...] = X.shape

    def pull(self, rows: Array) -> Array:
        flat = np.asarray(rows).reshape(-1, self.shape[0])
        return jnp.asarray((self.turned @ np.ascontiguousarray(flat.T)).T.reshape(*rows.shape[:-1], -1))

    def columns(self, chosen: np.ndarray) -> Array:
        real = chosen[chosen < self.shape[1]]
        made = np.zeros((self.shape[0], len(chosen)), self.by_column.dtype)
        made[:, : len(real)] = self.by_column[:, real].toarray()
        return jnp.asarray(made)

    def about(self, mean: Array) -> tuple[Design, Array]:
        return self, jnp.zeros_like(mean)


def as_design(X: Any) -> Design:
    """An array as a design; sparse features are one."""
    return X if isinstance(X, Sparse) else Dense(X)


def centred(X: Array, mean: Array) -> Array:
    """Columns less their means, zero where rounding alone is left."""
    Z = X - mean[None]
    return jnp.where((jnp.max(jnp.abs(Z), 0) <= _noise(mean))[None], 0.0, Z)


def _noise(mean: Any) -> Any:
    return 16 * float(jnp.finfo(mean.dtype).eps) * abs(mean)


_squares = jax.jit(lambda X: jnp.sum(jnp.square(X), 0))


@jax.jit
def pull(rows: Array, X: Array) -> Array:
    """`rows` (..., n) times X, in one product."""
    return matmul(rows.reshape(-1, rows.shape[-1]), X).reshape(*rows.shape[:-1], X.shape[1])


@jax.jit
def columns(X: Array, chosen: Array) -> Array:
    """The columns of these numbers, zeros for numbers from p on."""
    return jnp.take(X, chosen, axis=1, mode="fill", fill_value=0)
