"""The optimiser of strengths where none is given."""

from __future__ import annotations

from functools import lru_cache

import optax


@lru_cache(maxsize=16)
def adam(rate: float) -> optax.GradientTransformation:
    """One and the same Adam for one rate, so that what it is compiled into is compiled once."""
    return optax.adam(rate)
