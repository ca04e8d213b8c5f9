"""Functions of singular values, differentiable at equal ones."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxreg import _linalg
from jaxreg._linalg import einsum, matmul, widen
from jaxreg._typing import Array
from jaxreg.penalties.spectral._divided import batched, differences, flip, with_diagonal

_LONG = 2


def singular_values(x: Array) -> Array:
    """Descending singular values of the last two axes (..., k); where one is 0 its derivative is 0."""
    k = count(x)
    made = batched(lambda m, _: _values(m), _tall(widen(x)), ()) if k else jnp.zeros((*x.shape[:-2], 0))
    return made.astype(x.dtype)


def map_singular(f: Callable[..., Array], x: Array, *args: Any) -> Array:
    """U f(σ, *args) Vᵀ of the last two axes; x itself where f leaves all values as they are.

    f, a function of a module, maps the descending σ (k,) of one matrix, 0 <= f <= σ; each argument is (..., j), its
    leading axes broadcasting to those of x.
    """
    if not count(x):
        return x
    moved = batched(partial(_mapped, f), _tall(widen(x)), args)
    return (moved if moved.shape == x.shape else flip(moved)).astype(x.dtype)


def count(x: Array) -> int:
    """How many singular values a matrix has. Raises ValueError for an array with fewer than two axes."""
    if x.ndim < 2:
        raise ValueError(f"Singular values are those of matrices, but the array has shape {x.shape}: give two axes.")
    return min(x.shape[-2:])


def _tall(x: Array) -> Array:
    return x if x.shape[-2] >= x.shape[-1] else flip(x)


def _is_long(x: Array) -> bool:
    return x.shape[0] >= _LONG * x.shape[1]


@jax.custom_jvp
def _values(x: Array) -> Array:
    return _linalg.singular_values(_linalg.triangular(x) if _is_long(x) else x)


@_values.defjvp
def _values_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    u, s, vt = _linalg.svd(primals[0])
    return s, jnp.where(s > 0, einsum("mi,mn,in->i", u, tangents[0], vt), 0.0)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _mapped(f: Callable[..., Array], x: Array, args: tuple[Array, ...]) -> Array:
    """Of a long matrix the right vectors, those of its triangular factor, are enough: x V diag(f/σ) Vᵀ."""
    u, s, vt = _linalg.svd(_linalg.triangular(x) if _is_long(x) else x)
    y = f(s, *args)
    if _is_long(x):
        ratio = jnp.where(s == 0, 0.0, y / jnp.where(s == 0, 1.0, s))
        moved = matmul(x, matmul(flip(vt) * ratio[None, :], vt))
    else:
        moved = matmul(u * y[None, :], vt)
    return jnp.where(jnp.all(y == s), x, moved)


@_mapped.defjvp
def _mapped_jvp(f: Callable[..., Array], primals: Any, tangents: Any) -> tuple[Array, Array]:
    (x, args), (dx, dargs) = primals, tangents
    u, s, vt = _linalg.svd(x)
    y, slopes = f(s, *args), jax.jacfwd(f)(s, *args)
    own, right = jnp.diagonal(slopes), matmul(dx, flip(vt))
    e = matmul(flip(u), right)
    total, mean = s[:, None] + s[None, :], 0.5 * (own[:, None] + own[None, :])
    odd = jnp.where(total > 0, (y[:, None] + y[None, :]) / jnp.where(total > 0, total, 1.0), mean)
    core = 0.5 * (differences(s, y, slopes) * (e + flip(e)) + odd * (e - flip(e)))
    core = with_diagonal(core, jax.jvp(f, (s, *args), (jnp.diagonal(e), *dargs))[1])
    ratio = jnp.where(s > 0, y / jnp.where(s > 0, s, 1.0), own)
    tangent = matmul(matmul(u, core) + (right - matmul(u, e)) * ratio[None, :], vt)
    return jnp.where(jnp.all(y == s), x, matmul(u * y[None, :], vt)), tangent
