"""Contractions at full precision, for TF32 and bfloat16 stall every solver here, and decompositions safe to batch.

The CPU kernels of jaxlib before 0.11.2 hand the matrices of a batch to the threads that they run on, and wait: as many
of them at once as there are threads wait for ever. There the matrices of a batch are decomposed one after the other.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxlib import version

from jaxreg._typing import Array

HIGHEST = jax.lax.Precision.HIGHEST
einsum = partial(jnp.einsum, precision=HIGHEST)
matmul = partial(jnp.matmul, precision=HIGHEST)

_WAITING = tuple(int(part) for part in version.__version__.split(".")[:3]) < (0, 11, 2)


def widen(x: Array) -> Array:
    """At least float32, the narrowest dtype that has decompositions and solves."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def _finite(x: Array) -> Array:
    """NaN in place of a matrix with an infinite entry, where LAPACK's singular values never end."""
    return jnp.where(jnp.all(jnp.isfinite(x), (-2, -1), keepdims=True), x, jnp.nan)


def _one_by_one(solve: Callable[..., Any]) -> Callable[..., Any]:
    """The same of one matrix; `vmap` makes a loop of it on CPUs whose kernels must not share their threads.

    Derivatives are those of the original, which a `custom_vmap` has not in reverse.
    """
    if not _WAITING:
        return solve
    made = jax.custom_batching.custom_vmap(solve)

    @made.def_vmap
    def rule(size: int, batched: list[bool], *args: Array) -> tuple[Any, Any]:
        each = [x if has else jnp.broadcast_to(x, (size, *x.shape)) for x, has in zip(args, batched, strict=True)]
        if size == 1:
            out = jax.tree.map(lambda y: y[None], made(*(x[0] for x in each)))
        else:
            looped = partial(jax.lax.map, lambda xs: made(*xs))
            out = jax.lax.platform_dependent(each, cpu=looped, default=lambda xs: jax.vmap(solve)(*xs))
        return out, jax.tree.map(lambda _: True, out)

    safe = jax.custom_jvp(made)
    safe.defjvp(lambda primals, tangents: jax.jvp(solve, primals, tangents))
    return safe


def _solve_positive(matrix: Array, right: Array) -> Array:
    return jax.scipy.linalg.cho_solve((jnp.linalg.cholesky(matrix, symmetrize_input=False), True), right)


svd = _one_by_one(lambda x: tuple(jnp.linalg.svd(_finite(x), full_matrices=False)))
singular_values = _one_by_one(lambda x: jnp.linalg.svd(_finite(x), compute_uv=False))
triangular = _one_by_one(lambda x: jnp.linalg.qr(x, mode="r"))
eigh = _one_by_one(lambda x: tuple(jnp.linalg.eigh(x, symmetrize_input=False)))
eigenvalues = _one_by_one(lambda x: jnp.linalg.eigvalsh(x, symmetrize_input=False))
solve_positive = _one_by_one(_solve_positive)
