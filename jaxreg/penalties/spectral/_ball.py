"""What balls of matrices share."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxreg._typing import Array
from jaxreg._validate import traced
from jaxreg.penalties.spectral._divided import rounding


def check_radius(penalty: Any, radius: Any) -> None:
    """Raise ValueError for a negative or NaN radius; tracers pass."""
    if not traced(radius) and not np.all(np.asarray(radius) >= 0):
        raise ValueError(f"{penalty!r}: the radius must be a number >= 0.")


def membership(size: Array, bound: Any, x: Array) -> Array:
    """0 where size <= bound to rounding, NaN where it is NaN, else infinity."""
    outside = jnp.where(jnp.isnan(size), jnp.nan, jnp.inf)
    inside = size <= jnp.asarray(bound, x.dtype) * (1 + rounding(x)[0])
    return jnp.where(inside, 0.0, outside).astype(x.dtype)
