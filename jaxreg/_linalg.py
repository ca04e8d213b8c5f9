"""Contractions at full precision: TF32 and bfloat16 defaults stall every solver here."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp

from jaxreg._typing import Array

HIGHEST = jax.lax.Precision.HIGHEST
einsum = partial(jnp.einsum, precision=HIGHEST)
matmul = partial(jnp.matmul, precision=HIGHEST)


def widen(x: Array) -> Array:
    """At least float32, the narrowest dtype that has decompositions and solves."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))
