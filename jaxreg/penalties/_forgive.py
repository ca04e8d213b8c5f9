"""Sets seen through a shift or a map: members are judged up to the rounding of what the set is shown."""

from __future__ import annotations

import jax.numpy as jnp

from jaxreg._typing import Array
from jaxreg.penalties._base import Leafwise
from jaxreg.penalties._leaf import wide


def forgiven(part: Leafwise, y: Array, magnitude: Array, given: Array) -> Array:
    """Terms of a set at y, where each entry is known up to rounding of `magnitude` in the dtype of `given`.

    The nearest member is then no farther than that rounding: groups that the projection moves no more are inside.
    """
    terms = part.leaf_terms(y)
    unit = float(2 * jnp.finfo(given.dtype).eps + 32 * jnp.finfo(wide(given).dtype).eps)
    reduced = tuple(i for i in range(y.ndim) if not terms.ndim or terms.shape[i] == 1)
    moved = jnp.square(y - part.leaf_prox(y, jnp.ones((), y.dtype)))
    excess = jnp.sum(moved - jnp.square(unit * magnitude), axis=reduced, keepdims=True)
    return jnp.where(jnp.isposinf(terms) & (excess.reshape(terms.shape) <= 0), 0.0, terms)
