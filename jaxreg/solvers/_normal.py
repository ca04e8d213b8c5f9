"""The linear systems of splitting methods, (H + ρM) x = right, factorised once for every ρ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from jaxreg import _tree
from jaxreg._linalg import matmul
from jaxreg._pytree import pytree
from jaxreg._typing import Array, PyTree

DENSE = 1024
_CG_TOL, _CG_STEPS = 1e-8, 100


@pytree
class Factors:
    """`basis` B with Bᵀ(H + ρ₀M)B = I and BᵀMB = diag(share)/ρ₀; directions in neither H nor M are dropped."""

    basis: Array
    share: Array
    scale: Array


def factorise(H: Callable[[PyTree], PyTree], M: Callable[[PyTree], PyTree], like: PyTree) -> Factors | None:
    """Simultaneous diagonalisation of two positive maps; None where they are too large to be written down."""
    flat, unravel = ravel_pytree(like)
    if flat.size > DENSE:
        return None

    def matrix(apply: Callable[[PyTree], PyTree]) -> Array:
        full = jax.vmap(lambda v: ravel_pytree(apply(unravel(v)))[0])(jnp.eye(flat.size, dtype=flat.dtype))
        return 0.5 * (full + full.T)

    h, m = matrix(H), matrix(M)
    top, below = jnp.trace(h), jnp.trace(m)
    scale = jnp.where((top > 0) & (below > 0), top / jnp.where(below > 0, below, 1.0), 1.0)
    values, vectors = jnp.linalg.eigh(h + scale * m)
    cut = flat.size * jnp.finfo(flat.dtype).eps * values[-1]
    half = jnp.where(values > cut, 1 / jnp.sqrt(jnp.where(values > cut, values, 1.0)), 0.0)
    whitened = vectors * half[None, :]
    share, turned = jnp.linalg.eigh(matmul(whitened.T, matmul(scale * m, whitened)))
    return Factors(matmul(whitened, turned), jnp.clip(share, 0.0, 1.0), scale)


def solve(
    factors: Factors | None,
    H: Callable[[PyTree], PyTree],
    M: Callable[[PyTree], PyTree],
    rho: Array,
    right: PyTree,
    start: PyTree,
) -> PyTree:
    """(H + ρM)⁻¹ right, the least solution in the factors' metric; by conjugate gradients from `start` where large."""
    if factors is None:
        apply: Any = lambda v: _tree.add_scale(H(v), rho, M(v))  # noqa: E731
        return jax.scipy.sparse.linalg.cg(apply, right, x0=start, tol=_CG_TOL, maxiter=_CG_STEPS)[0]
    flat, unravel = ravel_pytree(right)
    ratio = rho / factors.scale
    weights = (1 - factors.share) + ratio * factors.share
    return unravel(matmul(factors.basis, matmul(flat, factors.basis) / weights))
