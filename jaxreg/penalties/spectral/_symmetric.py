"""Functions of the eigenvalues of symmetric matrices, differentiable at equal ones."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxreg import _linalg
from jaxreg._linalg import matmul, widen
from jaxreg._typing import Array
from jaxreg.penalties.spectral._divided import batched, differences, flip, with_diagonal


def symmetric_part(x: Array) -> Array:
    """(X + Xᵀ)/2 of the last two axes. Raises ValueError unless they are square."""
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ValueError(f"Eigenvalues are those of square matrices, but the array has shape {x.shape}.")
    return 0.5 * x + 0.5 * flip(x)


def eigenvalues(x: Array) -> Array:
    """Ascending eigenvalues of the symmetric part of the last two axes."""
    part = symmetric_part(widen(x))
    return batched(lambda m, _: _linalg.eigenvalues(m), part, ()).astype(x.dtype)


def map_symmetric(f: Callable[..., Array], x: Array, *args: Any) -> Array:
    """V f(λ, *args) Vᵀ of the symmetric part of the last two axes; that part where f leaves all values as they are.

    f, a function of a module, maps the ascending λ (k,) of one matrix; each argument is (..., j), its leading axes
    broadcasting to those of x.
    """
    part = symmetric_part(widen(x))
    return symmetric_part(batched(partial(_mapped, f), part, args) if x.shape[-1] else part).astype(x.dtype)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _mapped(f: Callable[..., Array], x: Array, args: tuple[Array, ...]) -> Array:
    s, v = _linalg.eigh(x)
    y = f(s, *args)
    return jnp.where(jnp.all(y == s), x, matmul(v * y[None, :], flip(v)))


@_mapped.defjvp
def _mapped_jvp(f: Callable[..., Array], primals: Any, tangents: Any) -> tuple[Array, Array]:
    (x, args), (dx, dargs) = primals, tangents
    s, v = _linalg.eigh(x)
    y = f(s, *args)
    e = matmul(flip(v), matmul(dx, v))
    core = differences(s, y, jax.jacfwd(f)(s, *args)) * e
    core = with_diagonal(core, jax.jvp(f, (s, *args), (jnp.diagonal(e), *dargs))[1])
    return jnp.where(jnp.all(y == s), x, matmul(v * y[None, :], flip(v))), matmul(matmul(v, core), flip(v))
