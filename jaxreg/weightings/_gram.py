"""A Gramian as cosines, norms and who is there: what makes a weighting free of scale."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp

from jaxreg._linalg import matmul, widen
from jaxreg._typing import Array, ArrayLike


class Gram(NamedTuple):
    """Cosines (T, T) with unit diagonal, norms (T,), and which tasks have a gradient; absent ones are unit vectors."""

    cosines: Array
    norms: Array
    present: Array

    @property
    def number(self) -> Array:
        """How many tasks are there, at least 1."""
        return jnp.maximum(jnp.sum(self.present), 1).astype(self.norms.dtype)

    @property
    def mean(self) -> Array:
        """The weights of the mean gradient."""
        return self.present.astype(self.norms.dtype) / self.number

    def weights(self, units: Array, dtype: Any) -> Array:
        """Weights of unit gradients as weights of gradients, 0 for absent tasks."""
        return jnp.where(self.present, units / self.norms, 0.0).astype(dtype)


def square(gramian: ArrayLike) -> Array:
    """A Gramian as an array. Raises ValueError unless it is (T, T)."""
    G = jnp.asarray(gramian)
    if G.ndim != 2 or G.shape[0] != G.shape[1]:
        raise ValueError(f"a weighting takes the (T, T) Gramian of the task gradients, got shape {G.shape}.")
    return G if jnp.issubdtype(G.dtype, jnp.floating) else G.astype(float)


def there(gramian: Array) -> Array:
    """Which tasks have a gradient, (T,); NaN counts as one."""
    return jnp.diagonal(gramian) != 0


def split(gramian: Array) -> Gram:
    """Cosines and norms in at least float32; the symmetric part counts."""
    G = widen(gramian)
    present = there(G)
    norms = jnp.sqrt(jnp.where(present, jnp.diagonal(G), 1.0))
    cosines = G / norms[:, None] / norms[None, :]
    both = present[:, None] & present[None, :]
    off = jnp.where(both, 0.5 * (cosines + cosines.T), 0.0)
    return Gram(jnp.where(jnp.eye(len(G), dtype=bool), jnp.ones_like(off) + 0 * norms[:, None], off), norms, present)


def even(gram: Gram) -> Array:
    """Weights C⁺1 of unit gradients, whose sum has the same cosine with all of them if they are independent."""
    eps = jnp.finfo(gram.norms.dtype).eps
    values, vectors = jnp.linalg.eigh(gram.cosines)
    kept = ~(values <= len(values) * eps * values[-1])
    inverse = jnp.where(kept, 1 / jnp.where(kept, values, 1.0), 0.0)
    return matmul(vectors, inverse * matmul(gram.present.astype(values.dtype), vectors))
