"""Affine subspaces: several linear equations per group."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg._linalg import einsum, svd
from jaxreg._pytree import pytree, static
from jaxreg._typing import Array, ArrayLike
from jaxreg.penalties._base import Leafwise
from jaxreg.penalties._leaf import wide
from jaxreg.penalties.sets._groups import length, ratios
from jaxreg.penalties.sets._rounding import judged, least, settle, slack
from jaxreg.penalties.sets._rows import from_rows, per_row, to_rows


@pytree
class Affine(Leafwise):
    """The set {x: A x = b} for every group along an axis (`None`: the whole array, flattened).

    The matrix A is (equations, entries), the target b (equations,) or one row per group. The projection is
    x - A⁺(A x - b) (Beck 2017, Lemma 6.26), with the pseudo-inverse of A with rows of length 1: singular values below
    max(A.shape) roundings of the largest count as zero, so that rows may repeat. An equation counts as met up to
    (17 + √(A.size)) roundings of ‖row‖‖x‖ + |b|. The equations must have a solution; `check` raises ValueError where
    they have none.

    >>> import jax.numpy as jnp, numpy as np, jaxreg as jr
    >>> A = jnp.array([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    >>> np.asarray(jr.Affine(A, jnp.array([1.0, 0.0])).prox(jnp.array([2.0, 1.0, 5.0]))).round(6).tolist()
    [1.0, 0.0, 0.0]
    """

    matrix: ArrayLike
    target: ArrayLike = 0.0
    axis: int | None = static(default=None)
    indicator = metric = bounded = True
    centred = False

    def check(self) -> None:
        """Raise ValueError for equations that contradict each other."""
        if any(isinstance(x, jax.core.Tracer) for x in (self.matrix, self.target)):
            return
        A = np.asarray(self.matrix, float)
        b = np.broadcast_to(np.asarray(self.target, float), (*np.shape(self.target)[:-1], len(A))).reshape(-1, len(A)).T
        left = np.abs(A @ np.linalg.lstsq(A, b, rcond=None)[0] - b)
        if not np.all(left <= 1e-5 * (np.linalg.norm(A, axis=-1, keepdims=True) + np.abs(b))):
            raise ValueError("Affine: the equations contradict each other, no x has matrix @ x = target.")

    def leaf_terms(self, x: Array) -> Array:
        """0 for groups that meet every equation, else infinity."""
        return judged(per_row(self._inside(x), x.ndim, self.axis), x, self.axis)

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Projection of every group."""
        rows, step = to_rows(x, self.axis), jnp.asarray(step, x.dtype)
        A, b = self._equations(rows)
        root = jnp.ones((*A.shape[:-2], rows.shape[-1]), x.dtype)
        if step.ndim:
            root = jnp.sqrt(jnp.maximum(to_rows(ratios(step, x, self.axis), self.axis), jnp.finfo(x.dtype).eps))
        moved = root * _least_norm(A * root[..., None, :], b, rows / root)
        inside = per_row(self._inside(x), x.ndim, self.axis)
        return settle(x, from_rows(moved, x.shape, self.axis), inside)

    def _equations(self, rows: Array) -> tuple[Array, Array]:
        A = jnp.asarray(self.matrix, rows.dtype)
        b = jnp.broadcast_to(jnp.asarray(self.target, rows.dtype), (*rows.shape[:-1], A.shape[0]))
        return A.reshape((1,) * (rows.ndim - 1) + A.shape), b

    def _inside(self, x: Array) -> Array:
        rows = to_rows(wide(x), self.axis)
        A, b = self._equations(rows)
        magnitude = length(A, -1)[..., 0] * length(rows, -1) + jnp.abs(b)
        rounding = slack(x, A.size) * magnitude + least(x, A.size)
        return jnp.all(jnp.abs(_times(A, rows) - b) <= rounding, axis=-1)


def _least_norm(A: Array, b: Array, x: Array) -> Array:
    """The nearest z to x with A z = b.

    Two passes leave the rounding of the result only. The last is differentiable: A dz = db - dA z, and across the rows
    dz is d(x - Aᵀλ), with λ the multipliers.
    """
    size = length(A, -1)
    unit = jax.lax.stop_gradient(jnp.where(size == 0, 1.0, size))
    A, b = A / unit, b / unit[..., 0]
    u, s, vt = svd(jax.lax.stop_gradient(A))
    kept = s > max(A.shape[-2:]) * jnp.finfo(s.dtype).eps * s[..., :1]
    inverse = jnp.where(kept, 1 / jnp.where(kept, s, 1.0), 0.0)
    fixed = jax.lax.stop_gradient((A, b, x))
    z, multipliers = fixed[2], jnp.zeros_like(fixed[1])
    for _ in range(2):
        excess = inverse * _apply(u, _times(fixed[0], z) - fixed[1])
        z = z - _apply(vt, excess)
        multipliers = multipliers + _times(u, inverse * excess)
    along = _apply(vt, inverse * _apply(u, b - _times(A, z)))
    moved = x - _apply(A, multipliers) - z
    across = moved - _apply(vt, jnp.where(kept, _times(vt, moved), 0.0))
    return z + along + across


def _times(A: Array, x: Array) -> Array:
    return einsum("...mn,...n->...m", A, x)


def _apply(A: Array, y: Array) -> Array:
    return einsum("...mn,...m->...n", A, y)
