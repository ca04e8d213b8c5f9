"""Absolute values rounded off at zero: the Huber function as a penalty."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike
from jaxreg.penalties._base import Leafwise
from jaxreg.penalties.elementwise._entry import require, spread, within


@pytree
class SmoothL1(Leafwise):
    """Σ h(xⱼ) with h(x) = x²/(2δ) where |x| <= δ and |x| - δ/2 beyond: a ridge for small entries, a lasso for large.

    It is the Moreau envelope of L1 with parameter δ (Huber 1964; Beck and Teboulle 2012), smooth, so that nothing is
    exactly zero; δ -> 0 gives L1. The prox is x δ/(δ + step) where |x| <= δ + step, x - sign(x) step beyond. `delta` is
    a positive number or an array that broadcasts.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.SmoothL1(delta=1.0).prox(jnp.array([3.0, -1.0]), 1.0).tolist()
    [2.0, -0.5]
    """

    delta: ArrayLike = 1.0
    elementwise = even = metric = dualisable = polar = smooth = True

    def check(self) -> None:
        """Raise ValueError unless delta > 0."""
        require("SmoothL1", "delta", self.delta, lambda v: (v > 0) & np.isfinite(v), "> 0")

    def leaf_terms(self, x: Array) -> Array:
        """The Huber function."""
        (delta,) = spread(x, self.delta)
        size = x * jnp.sign(x)
        near = jnp.minimum(size, delta)
        return near * (0.5 * near / delta) + (size - near)

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Shrinkage by 1 + step/delta up to delta + step, by step beyond; an infinite step gives 0."""
        delta, step = spread(x, self.delta, step)
        ends = jnp.isinf(step)
        step = jnp.where(ends, 0.0, step)
        moved = jnp.where(x * jnp.sign(x) <= delta + step, x / (1.0 + step / delta), x - jnp.sign(x) * step)
        return jnp.where(ends, jnp.zeros_like(x), moved)

    def leaf_dual_terms(self, u: Array) -> Array:
        """|u|: the conjugate is finite where it is at most 1."""
        return jnp.abs(u)

    def leaf_conjugate_terms(self, u: Array) -> Array:
        """δu²/2 where |u| <= 1, to rounding, else infinite."""
        (delta,) = spread(u, self.delta)
        slack = 1 + 16 * jnp.finfo(u.dtype).eps
        return jnp.where(jnp.abs(u) > slack, jnp.inf, 0.5 * delta * jnp.square(u))

    def leaf_floor(self) -> Any:
        """1, if the parameter is in range."""
        return within(1.0, jnp.asarray(self.delta) > 0, jnp.isfinite(self.delta))
