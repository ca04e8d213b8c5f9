"""The orders in which tasks meet each other."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxreg._typing import Array


def orders(key: Array | None, tasks: int) -> Array:
    """One order of all tasks for each of them, (T, T): random, or as they come without a key."""
    straight = jnp.broadcast_to(jnp.arange(tasks), (tasks, tasks))
    return straight if key is None else jax.random.permutation(key, straight, axis=1, independent=True)
