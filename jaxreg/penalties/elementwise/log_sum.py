"""Sums of logarithms: what reweighted l1 minimises."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike
from jaxreg.penalties._base import Leafwise
from jaxreg.penalties.elementwise._entry import of_size, require, shrunk, within


@pytree
class LogSum(Leafwise):
    """Σ log(1 + |xⱼ|/ε) (Candès, Wakin and Boyd 2008): between L1 (ε large, scaled by ε) and the number of nonzeros.

    The prox is the global minimiser for every step: the larger root of (z - |x|)(z + ε) + step = 0, or 0 where that
    is no better (Prater-Bennette, Shen and Tripp 2022); exact also for an array of steps. `epsilon` is a positive
    number or an array that broadcasts. Not convex.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.LogSum(epsilon=1.0).prox(jnp.array([3.0, -1.0]), 3.0).tolist()
    [2.0, 0.0]
    """

    epsilon: ArrayLike = 1.0
    convex = False
    elementwise = even = metric = True

    def check(self) -> None:
        """Raise ValueError unless epsilon > 0."""
        require("LogSum", "epsilon", self.epsilon, lambda v: (v > 0) & np.isfinite(v), "> 0")

    def leaf_terms(self, x: Array) -> Array:
        """log(1 + |x|/ε), with derivative 0 at 0."""
        return of_size(lambda size, epsilon: jnp.log1p(size / epsilon), x, self.epsilon)

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """The global minimiser; an infinite step gives 0."""
        return shrunk(_root, x, step, self.epsilon)

    def leaf_floor(self) -> Any:
        """1, if the parameter is in range."""
        return within(1.0, jnp.asarray(self.epsilon) > 0, jnp.isfinite(self.epsilon))


@jax.custom_jvp
def _root(x: Array, step: Array, epsilon: Array) -> Array:
    """argmin over z >= 0 of step log(1 + z/ε) + ½(z - x)² for x >= 0.

    The objective is convex where √step <= ε; else its local minimum above 0, if there is one, competes with 0.
    """
    top, reach = jnp.sqrt(step), x + epsilon
    short = reach <= 2 * top
    width = jnp.sqrt(jnp.where(short, 0.0, reach - 2 * top)) * jnp.sqrt(reach + 2 * top)
    below = (x - step / epsilon) * (2 * epsilon / (width + (epsilon - x)))
    z = jnp.where(x < epsilon, below, 0.5 * (width + (x - epsilon)))
    size, high = jnp.where(x == 0, 1.0, x), jnp.maximum(z, 0.0)
    worse = step / size * jnp.log1p(high / epsilon) >= high * (1 - 0.5 * high / size)
    dropped = jnp.where(top <= epsilon, x <= step / epsilon, short | worse)
    return jnp.where(dropped, 0.0, jnp.where(step == 0, x, z))


@_root.defjvp
def _root_jvp(primals: tuple[Array, Array, Array], tangents: tuple[Array, Array, Array]) -> tuple[Array, Array]:
    """Of the stationarity z + step/(z + ε) = x."""
    (x, step, epsilon), (dx, dstep, depsilon) = primals, tangents
    z = _root(x, step, epsilon)
    slope = 1 / (z + epsilon)
    bend = jnp.where(z > 0, step, 0.0) * slope * slope
    kept = (z > 0) & (bend < 1)
    moved = dx - slope * dstep + bend * depsilon
    return z, jnp.where(kept, moved / jnp.where(kept, 1 - bend, 1.0), 0.0)
