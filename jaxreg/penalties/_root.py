"""Newton's steps that rise to the root of a scalar equation, one equation per group."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxreg._typing import Array

_STEPS = 100


def rise(newton: Callable[[Array], Array], start: Array) -> Array:
    """Repeat a step from the left of every root until none rises; on piecewise linear equations that ends exactly."""

    def going(carry: tuple[Array, Array, Array]) -> Array:
        old, new, count = carry
        return jnp.any(new > old) & (count < _STEPS)

    def step(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        _, old, count = carry
        return old, jnp.maximum(newton(old), old), count + 1

    return jax.lax.while_loop(going, step, (start, jnp.maximum(newton(start), start), jnp.zeros((), jnp.int32)))[1]
