"""What working sets need of the features: products with all of them from the left, and some of them by number."""

from __future__ import annotations

from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg._linalg import matmul
from jaxreg._typing import Array


class Design(Protocol):
    """Features (n, p) that are only ever multiplied and gathered."""

    shape: tuple[int, ...]

    def pull(self, rows: Array) -> Array:
        """`rows` (..., n) times X, (..., p)."""
        ...

    def columns(self, chosen: np.ndarray) -> Array:
        """The features of these numbers, (n, width); zeros for numbers from p on."""
        ...


class Dense:
    """An array on a device, or the host's own."""

    def __init__(self, X: Array | np.ndarray) -> None:
        self.X = X
        self.shape: tuple[int, ...] = X.shape

    def pull(self, rows: Array) -> Array:
        if isinstance(self.X, np.ndarray):
            return jnp.asarray(np.asarray(rows) @ self.X)
        return pull(rows, self.X)

    def columns(self, chosen: np.ndarray) -> Array:
        return columns(self.X, chosen)


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


def as_design(X: Any) -> Dense | Sparse:
    """An array as a design; sparse features are one."""
    return X if isinstance(X, Sparse) else Dense(X)


def centred(X: Array, mean: Array) -> Array:
    """Columns less their means, zero where rounding alone is left."""
    Z = X - mean[None]
    noise = 16 * jnp.finfo(X.dtype).eps * jnp.abs(mean)
    return jnp.where((jnp.max(jnp.abs(Z), 0) <= noise)[None], 0.0, Z)


@jax.jit
def pull(rows: Array, X: Array) -> Array:
    """`rows` (..., n) times X, in one product."""
    return matmul(rows.reshape(-1, rows.shape[-1]), X).reshape(*rows.shape[:-1], X.shape[1])


@jax.jit
def columns(X: Array, chosen: Array) -> Array:
    """The columns of these numbers, zeros for numbers from p on."""
    return jnp.take(X, chosen, axis=1, mode="fill", fill_value=0)
