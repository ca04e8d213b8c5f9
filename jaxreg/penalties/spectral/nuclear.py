"""Penalties on singular values: the nuclear norm."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxreg._linalg import matmul
from jaxreg._pytree import pytree
from jaxreg._typing import Array
from jaxreg.penalties._base import Leafwise


@pytree
class Nuclear(Leafwise):
    """Sum of singular values of the last two axes, the convex envelope of rank (Fazel 2002).

    The prox soft-thresholds singular values, U max(S - step, 0) Vᵀ (Cai, Candès and Shen 2010, Theorem 2.1). Raises
    ValueError on arrays with fewer than two axes.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.Nuclear().prox(jnp.diag(jnp.array([3.0, 0.5])), 1.0).round(3).tolist()
    [[2.0, 0.0], [0.0, 0.0]]
    """

    homogeneous = gauge = dualisable = True

    def leaf_terms(self, x: Array) -> Array:
        """The nuclear norm of each matrix, its axes kept."""
        return jnp.sum(_singular(x), axis=-1)[..., None, None]

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Singular value thresholding."""
        _need_matrix(x)
        step = jnp.asarray(step, x.dtype)
        return _threshold(x, step.reshape(()) if step.size == 1 else step)

    def leaf_dual_terms(self, u: Array) -> Array:
        """The largest singular value of each matrix."""
        return jnp.max(_singular(u), axis=-1, initial=0)[..., None, None]


def _need_matrix(x: Array) -> None:
    if x.ndim < 2:
        raise ValueError(f"Nuclear acts on matrices, but the array has shape {x.shape}: give (tasks, features).")


def _singular(x: Array) -> Array:
    _need_matrix(x)
    return jnp.linalg.svd(x, full_matrices=False, compute_uv=False)


@jax.custom_jvp
def _threshold(x: Array, step: Array) -> Array:
    u, s, vt = jnp.linalg.svd(x, full_matrices=False)
    return matmul(u * jnp.maximum(s - _per_matrix(step), 0.0)[..., None, :], vt)


def _per_matrix(step: Array) -> Array:
    return step[..., 0] if step.ndim else step


@_threshold.defjvp
def _threshold_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    """Divided differences of the scalar function (Daleckii and Krein 1965): no division by equal singular values."""
    (x, step), (dx, dstep) = primals, tangents
    if x.shape[-2] < x.shape[-1]:
        flipped = jnp.swapaxes(step, -1, -2) if step.ndim else step
        dflipped = jnp.swapaxes(dstep, -1, -2) if step.ndim else dstep
        out, dout = _threshold_jvp((_t(x), flipped), (_t(dx), dflipped))
        return _t(out), _t(dout)
    u, s, vt = jnp.linalg.svd(x, full_matrices=False)
    f, kept = jnp.maximum(s - _per_matrix(step), 0.0), (s > _per_matrix(step)).astype(x.dtype)
    a, b = s[..., :, None], s[..., None, :]
    fa, fb = f[..., :, None], f[..., None, :]
    apart = jnp.abs(a - b) > 1e3 * jnp.finfo(x.dtype).eps * jnp.max(s, axis=-1, initial=0)[..., None, None]
    slope = 0.5 * (kept[..., :, None] + kept[..., None, :])
    even = jnp.where(apart, (fa - fb) / jnp.where(apart, a - b, 1.0), slope)
    odd = jnp.where(a + b > 0, (fa + fb) / jnp.where(a + b > 0, a + b, 1.0), 0.0)
    e = matmul(_t(u), matmul(dx, _t(vt)))
    core = 0.5 * (even * (e + _t(e)) + odd * (e - _t(e)))
    ratio = jnp.where(s > 0, f / jnp.where(s > 0, s, 1.0), 0.0)
    outside = matmul(dx, _t(vt)) - matmul(u, e)
    core = core - (kept * _per_matrix(dstep))[..., None, :] * jnp.eye(s.shape[-1], dtype=x.dtype)
    tangent = matmul(matmul(u, core) + outside * ratio[..., None, :], vt)
    return matmul(u * f[..., None, :], vt), tangent


def _t(x: Array) -> Array:
    return jnp.swapaxes(x, -1, -2)
