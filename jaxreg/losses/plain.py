"""A user's own function as a loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from jaxreg._pytree import pytree, static
from jaxreg._typing import Array, ArrayLike
from jaxreg.losses._base import Loss, per_example


@pytree
class Plain(Loss):
    """A plain function used as a loss; nothing is known of its curvature or conjugate."""

    function: Callable[[Any, Any], Any] = static()

    def __call__(self, prediction: ArrayLike, target: ArrayLike) -> Array:
        """Call the function and sum over outputs."""
        return per_example(jnp.asarray(self.function(prediction, target)))
