"""Half the squared norm: ridge regression, weight decay."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from jaxreg._pytree import pytree
from jaxreg._typing import Array
from jaxreg.penalties._base import Leafwise


@pytree
class Ridge(Leafwise):
    """Half the squared Euclidean norm, ½‖x‖² (Hoerl and Kennard 1970).

    The prox is x / (1 + step).

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> (3.0 * jr.Ridge()).prox(jnp.array([4.0]), 1.0).tolist()
    [1.0]
    """

    elementwise = uniform = quadratic = metric = dualisable = smooth = True

    def leaf_terms(self, x: Array) -> Array:
        """½x²."""
        return 0.5 * jnp.square(x)

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Shrinkage by 1 + step; an infinite step gives 0."""
        return x / (1.0 + step)

    def leaf_conjugate(self, u: Array) -> Array:
        """½‖u‖²."""
        return 0.5 * jnp.sum(jnp.square(u))

    def leaf_quadratic(self, x: Array) -> tuple[Array, Array]:
        """Curvature 1 about 0."""
        return jnp.ones((), x.dtype), jnp.zeros((), x.dtype)
