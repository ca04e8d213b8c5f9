"""The number of nonzero entries: best-subset selection."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from jaxreg._pytree import pytree
from jaxreg._typing import Array
from jaxreg.penalties._base import Leafwise


@pytree
class L0(Leafwise):
    """Number of nonzero entries, #{j: xⱼ ≠ 0}; not convex.

    The prox is hard thresholding, x where |x| > √(2 step), else 0 (Donoho and Johnstone 1994; Blumensath and Davies
    2008), exact also for an array of steps.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> (2.0 * jr.L0()).prox(jnp.array([3.0, -1.5]), 1.0).tolist()
    [3.0, 0.0]
    """

    convex = False
    elementwise = even = metric = True

    def leaf_terms(self, x: Array) -> Array:
        """1 where x is not 0, with derivative 0."""
        return jnp.square(jnp.sign(x))

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Hard thresholding; an infinite step gives 0."""
        bar = jnp.sqrt(2.0).astype(x.dtype) * jnp.sqrt(jnp.asarray(step, x.dtype))
        return jnp.where(x * jnp.sign(x) <= bar, jnp.zeros_like(x), x)
