"""Contractions at full precision: TF32 and bfloat16 defaults stall every solver here."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp

HIGHEST = jax.lax.Precision.HIGHEST
einsum = partial(jnp.einsum, precision=HIGHEST)
matmul = partial(jnp.matmul, precision=HIGHEST)
