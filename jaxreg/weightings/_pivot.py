"""The nonnegative quadratic program by guessing which entries are zero: exact and fast where it comes to an end."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxreg._linalg import matmul
from jaxreg._typing import Array

DESCENTS, PIVOTS, CHANCES = 60, 12, 3


class _Guess(NamedTuple):
    z: Array
    free: Array
    wrong: Array
    fewest: Array
    chances: Array
    taken: Array


def pivoted(C: Array, q: Array) -> tuple[Array, Array]:
    """argmin_{z >= 0} ½ z'Cz + q'z and whether it was found, for C (T, T) with unit diagonal.

    Accelerated projected gradients guess the support, block principal pivoting corrects it: all entries of the wrong
    sign change sides, or the last one alone while their number does not fall (Kim and Park 2011, algorithm 2). A
    singular C may defeat it.
    """
    eps, tasks = jnp.finfo(q.dtype).eps, len(q)

    def at(free: Array) -> tuple[Array, Array]:
        block = jnp.where(free[:, None] & free[None, :], C, jnp.eye(tasks, dtype=q.dtype))
        factor = jax.lax.linalg.cholesky(block, symmetrize_input=False)
        z = jnp.where(free, jax.scipy.linalg.cho_solve((factor, True), jnp.where(free, -q, 0.0)), 0.0)
        slack = matmul(z, C) + q
        floor = 16 * eps * (1 + jnp.max(jnp.abs(z)))
        return z, jnp.where(free, (z < -floor) | ~(jnp.abs(slack) <= 8 * floor), ~(slack >= -floor))

    def pivot(g: _Guess) -> _Guess:
        count = jnp.sum(g.wrong, dtype=jnp.int32)
        better = count < g.fewest
        last = jnp.arange(tasks) == tasks - 1 - jnp.argmax(g.wrong[::-1])
        free = g.free ^ (g.wrong & (last | better | (g.chances > 0)))
        z, wrong = at(free)
        chances = jnp.where(better, CHANCES, g.chances - 1)
        return _Guess(z, free, wrong, jnp.minimum(count, g.fewest), chances, g.taken + 1)

    free = _descended(C, q) > 0
    z, wrong = at(free)
    first = _Guess(z, free, wrong, jnp.int32(tasks + 1), jnp.int32(CHANCES), jnp.int32(0))
    end = jax.lax.while_loop(lambda g: jnp.any(g.wrong) & (g.taken < PIVOTS), pivot, first)
    return jnp.maximum(end.z, 0.0), ~jnp.any(end.wrong)


def _descended(C: Array, q: Array) -> Array:
    """Nesterov's projected gradient steps, of a length that the largest row sum of C allows."""
    step = 1 / jnp.max(jnp.sum(jnp.abs(C), 1))

    def descend(k: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        z, ahead = carry
        new = jnp.maximum(ahead - step * (matmul(ahead, C) + q), 0.0)
        return new, new + (k / (k + 3)).astype(q.dtype) * (new - z)

    start = jnp.maximum(-q, 0.0)
    return jax.lax.fori_loop(0, DESCENTS, descend, (start, start))[0]
