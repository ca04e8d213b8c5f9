"""Quadratic coupling of tasks over a graph that says which of them are related."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg._linalg import eigh, einsum, matmul, widen
from jaxreg._pytree import pytree, show, static
from jaxreg._typing import Array, ArrayLike
from jaxreg._validate import traced
from jaxreg.penalties.coupling._quadratic import Coupling
from jaxreg.penalties.coupling._rows import array_of, rows_along, step_rows


@pytree
class Graph(Coupling):
    """½ tr(XᵀLX) along an axis, L symmetric positive semidefinite (Evgeniou, Micchelli and Pontil 2005).

    With the Laplacian of a weighted graph it is ½ Σ wₛₜ ‖xₛ - xₜ‖² over its edges. The prox (I + step L)⁻¹X is exact
    for every step, infinity included, by the eigenvectors of L. `Graph.of` and `Graph.edges` compute them once, on the
    host, and keep them as `values` and `vectors`; `Graph(laplacian)`, which may be traced, computes them at every use.
    Derivatives go to `laplacian` alone; a changed one needs a new `Graph.of`. Raises ValueError where L does not fit
    the axis.

    >>> import jax.numpy as jnp, numpy as np, jaxreg as jr
    >>> np.asarray(jr.Graph.edges([(0, 1)], 3).prox(jnp.array([0.0, 3.0, 5.0]), 1.0)).round(3).tolist()
    [1.0, 2.0, 5.0]
    """

    laplacian: ArrayLike
    axis: int = static(default=0)
    values: Any = None
    vectors: Any = None

    @classmethod
    def of(cls, laplacian: ArrayLike, axis: int = 0) -> Graph:
        """The penalty with the eigenvectors of a known L, (tasks, tasks). Raises ValueError as `check` does."""
        made = cls(laplacian, axis)
        made.check()
        values, vectors = np.linalg.eigh(np.asarray(laplacian, float))
        return cls(laplacian, axis, np.where(values <= _noise(laplacian, values), 0.0, values), vectors)

    @classmethod
    def edges(cls, pairs: Any, size: int, weights: Any = None, axis: int = 0) -> Graph:
        """The graph of `size` tasks whose edges are `pairs` (edges, 2), of weight 1 if not given.

        Raises ValueError for pairs that are no tasks, or weights that are negative or not one for each pair.
        """
        ends = np.asarray(pairs, int).reshape(-1, 2)
        w = np.ones(len(ends)) if weights is None else np.asarray(weights, float)
        if np.any((ends < 0) | (ends >= size)):
            raise ValueError(f"Graph.edges: pairs join tasks 0 to {size - 1}, got {ends.min()} to {ends.max()}.")
        if w.shape != (len(ends),) or not np.all(w >= 0):
            raise ValueError(f"Graph.edges: weights are {show(w)}, expected {len(ends)} numbers >= 0.")
        incidence = np.zeros((len(ends), size))
        np.add.at(incidence, (np.arange(len(ends)), ends[:, 0]), np.sqrt(w))
        np.add.at(incidence, (np.arange(len(ends)), ends[:, 1]), -np.sqrt(w))
        return cls.of(incidence.T @ incidence, axis)

    def check(self) -> None:
        """Raise ValueError unless L is square, finite, symmetric and semidefinite to rounding, and the rest its own."""
        if traced(self.laplacian):
            return
        L = np.asarray(self.laplacian, float)
        if L.ndim < 2 or L.shape[-1] != L.shape[-2] or not np.all(np.isfinite(L)):
            raise ValueError(f"Graph: the Laplacian has shape {L.shape}, expected finite numbers (tasks, tasks).")
        values = np.linalg.eigvalsh(L)
        noise = _noise(self.laplacian, values)[..., None]
        if np.any(np.abs(L - np.swapaxes(L, -1, -2)) > noise) or np.any(values[..., None] < -noise):
            raise ValueError("Graph: the Laplacian must be symmetric and have no negative eigenvalue.")
        if self.values is None or traced(self.values, self.vectors):
            return
        vectors = np.asarray(self.vectors, float)
        made = vectors * np.asarray(self.values, float)[..., None, :] @ np.swapaxes(vectors, -1, -2)
        if np.any(np.abs(made - L) > noise):
            raise ValueError("Graph: values and vectors are not those of the Laplacian; make them by Graph.of.")

    def leaf_terms(self, x: Array) -> Array:
        """½ xᵀLx of each column, the axis kept."""
        rows = rows_along(x, self.axis)
        return array_of(_energy(rows, *self._basis(rows))[None], x, self.axis)

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """(I + step L)⁻¹x, written as x less its shrunken part so that what is not shrunk stays as it is."""
        rows = rows_along(x, self.axis)
        t, (laplacian, values, vectors) = step_rows(step, rows, self.axis), self._basis(rows)
        null = values[:, None] == 0
        removed = jnp.where(null, 0.0, 1 - 1 / (1 + t * jnp.where(null, 1.0, values[:, None])))
        finite = jnp.where(jnp.isinf(t), 0.0, t)

        def solve(_: Any, b: Array) -> Array:
            return b - matmul(vectors, removed * einsum("tk,tn->kn", vectors, b))

        out = jax.lax.custom_linear_solve(lambda z: z + finite * matmul(laplacian, z), rows, solve, symmetric=True)
        return array_of(out, x, self.axis)

    def leaf_span(self, u: Array) -> Array:
        """u less what L does not see: its mean over every connected part."""
        rows = rows_along(u, self.axis)
        _, values, vectors = self._basis(rows)
        null = jnp.where(values == 0, vectors, 0.0)
        return array_of(rows - matmul(null, einsum("tk,tn->kn", null, rows)), u, self.axis)

    def leaf_inverse(self, u: Array) -> Array:
        """½ uᵀL⁺u of each column, by eigenvectors."""
        rows = rows_along(u, self.axis)
        _, values, vectors = self._basis(rows)
        inverse = jnp.where(values == 0, 0.0, 1 / jnp.where(values == 0, 1.0, values))[:, None]
        energy = 0.5 * jnp.sum(inverse * jnp.square(einsum("tk,tn->kn", vectors, rows)), axis=0)
        return array_of(energy[None], u, self.axis)

    def _basis(self, rows: Array) -> tuple[Array, Array, Array]:
        """L, its eigenvalues and eigenvectors in the dtype of the rows."""
        L = jnp.asarray(self.laplacian)
        if L.shape != (rows.shape[0],) * 2:
            raise ValueError(f"Graph has a Laplacian of shape {L.shape}, but its axis has {rows.shape[0]} tasks.")
        if self.values is not None:
            return L.astype(rows.dtype), jnp.asarray(self.values, rows.dtype), jnp.asarray(self.vectors, rows.dtype)
        wide = widen(L if jnp.issubdtype(L.dtype, jnp.floating) else L.astype(rows.dtype))
        values, vectors = eigh(jax.lax.stop_gradient(wide))
        values = jnp.where(values <= _noise(L, values), 0.0, values)
        return L.astype(rows.dtype), values.astype(rows.dtype), vectors.astype(rows.dtype)


def _noise(laplacian: Any, values: Any) -> Any:
    """What an eigenvalue that is zero may be by rounding, given in the dtype of the Laplacian."""
    kind = jnp.result_type(laplacian)
    eps = float(jnp.finfo(kind if jnp.issubdtype(kind, jnp.floating) else values.dtype).eps)
    return 4 * values.shape[-1] * eps * values[..., -1:]


@jax.custom_jvp
def _energy(rows: Array, laplacian: Array, values: Array, vectors: Array) -> Array:
    """½ xᵀLx by eigenvectors: of a nearly constant column no digit is lost."""
    return 0.5 * jnp.sum(values[:, None] * jnp.square(einsum("tk,tn->kn", vectors, rows)), axis=0)


@_energy.defjvp
def _energy_jvp(primals: Any, tangents: Any) -> tuple[Array, Array]:
    (rows, _, values, vectors), (moved, bent, *_) = primals, tangents
    pulled = matmul(vectors, values[:, None] * einsum("tk,tn->kn", vectors, rows))
    return _energy(*primals), jnp.sum(pulled * moved + 0.5 * rows * matmul(bent, rows), axis=0)
