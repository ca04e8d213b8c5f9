"""Limited-memory BFGS on flat vectors, memory of a fixed size."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxreg._pytree import pytree
from jaxreg._typing import Array


@pytree
class Memory:
    """The last moves s and changes y, shape (m, p), newest last, and 1/<s, y>, 0 where nothing is stored."""

    moves: Array
    changes: Array
    weights: Array


def forget(size: int, like: Array) -> Memory:
    """An empty memory of `size` pairs."""
    zeros = jnp.zeros((size, like.size), like.dtype)
    return Memory(zeros, zeros, jnp.zeros(size, like.dtype))


def remember(memory: Memory, move: Array, change: Array) -> Memory:
    """The pair put at the end, unless its curvature is not safely positive."""
    inner, square = jnp.sum(move * change), jnp.sum(jnp.square(move))
    good = inner > 1e3 * jnp.finfo(move.dtype).eps * jnp.sqrt(square * jnp.sum(jnp.square(change)))
    weight = jnp.where(good, 1 / jnp.where(good, inner, 1.0), 0.0)

    def push(stack: Array, new: Array) -> Array:
        return jnp.where(good, jnp.concatenate([stack[1:], new[None]]), stack)

    return Memory(push(memory.moves, move), push(memory.changes, change), push(memory.weights, weight))


def direction(memory: Memory, gradient: Array, first: Array) -> Array:
    """-H gradient by the two-loop recursion (Nocedal 1980); -first * gradient while nothing is stored."""
    size = memory.weights.size

    def down(i: int, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        q, alphas = carry
        k = size - 1 - i
        alpha = memory.weights[k] * jnp.sum(memory.moves[k] * q)
        return q - alpha * memory.changes[k], alphas.at[k].set(alpha)

    q, alphas = jax.lax.fori_loop(0, size, down, (gradient, jnp.zeros_like(memory.weights)))
    inner, square = 1 / jnp.where(memory.weights[-1] > 0, memory.weights[-1], 1.0), jnp.sum(memory.changes[-1] ** 2)
    scale = jnp.where(memory.weights[-1] > 0, inner / jnp.where(square > 0, square, 1.0), first)

    def up(k: int, r: Array) -> Array:
        beta = memory.weights[k] * jnp.sum(memory.changes[k] * r)
        return r + memory.moves[k] * (alphas[k] - beta)

    return -jax.lax.fori_loop(0, size, up, scale * q)
