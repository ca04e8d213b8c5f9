"""What formulas for one entry share: parameters that broadcast and are in range, even functions through |x|."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxreg import _validate
from jaxreg._pytree import show
from jaxreg._typing import Array


def spread(x: Array, *values: Any) -> tuple[Array, ...]:
    """Every value in the dtype of x; numbers stay numbers, so that what depends on them alone is computed once."""
    made = (jnp.asarray(v, x.dtype) for v in values)
    return tuple(jnp.broadcast_to(v, x.shape) if v.ndim else v for v in made)


def of_size(formula: Callable[..., Array], x: Array, *values: Any) -> Array:
    """formula(|x|, *values), with derivative 0 at 0."""
    return formula(jnp.abs(x), *spread(x, *values))


def shrunk(formula: Callable[..., Array], x: Array, *values: Any) -> Array:
    """formula(|x|, *values) with the sign of x; zeros are +0."""
    size = of_size(formula, x, *values)
    return jnp.where((x < 0) & (size != 0), -size, size)


def within(floor: Any, *holds: Array) -> Array:
    """A leaf's floor, NaN where a parameter is out of range: there is no raising inside transformations."""
    return jnp.where(jnp.all(jnp.stack([jnp.all(jnp.asarray(h)) for h in holds])), floor, jnp.nan)


def require(owner: str, name: str, value: Any, holds: Callable[[np.ndarray], Any], expected: str) -> None:
    """Raise ValueError unless every number of a concrete value is in range; tracers pass."""
    if not _validate.traced(value) and not np.all(holds(np.asarray(value, float))):
        raise ValueError(f"{owner}: {name} is {show(value)}, expected numbers {expected}.")
