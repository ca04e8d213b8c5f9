"""The shared vocabulary of types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import numpy as np

Array: TypeAlias = jax.Array
ArrayLike: TypeAlias = jax.Array | np.ndarray | float | int | bool
PyTree: TypeAlias = Any
Data: TypeAlias = tuple[Any, Any]
Predict: TypeAlias = Callable[[Any, Any], Any]
