"""Powers of absolute values below one, where the prox has a closed form."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxreg._pytree import pytree, static
from jaxreg._typing import Array
from jaxreg.penalties._base import Leafwise
from jaxreg.penalties.elementwise._entry import shrunk

_NEWTON_STEPS = 6


@pytree
class Lq(Leafwise):
    """Σ|xⱼ|^q for q = ½ or ⅔: between L1 and the number of nonzeros; not convex.

    The prox is 0 up to a threshold and the largest root of z + step q z^(q-1) = |x| above it: of a cubic in √z for
    q = ½ (Xu, Chang, Xu and Zhang 2012), of a quartic in ∛z for q = ⅔ (Cao, Sun and Xu 2013); the roots are found by
    Newton's steps to rounding. Exact also for an array of steps. Raises ValueError for any other q.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> [round(z, 4) for z in jr.Lq(0.5).prox(jnp.array([2.0, 1.4]), 1.0).tolist()]
    [1.6054, 0.0]
    """

    q: float = static()
    convex = False
    elementwise = even = metric = True

    def __post_init__(self) -> None:
        if not any(math.isclose(self.q, known, rel_tol=1e-6) for known in (1 / 2, 2 / 3)):
            raise ValueError(f"Lq: q is {self.q!r}, expected 1/2 or 2/3: only there the prox has a closed form.")

    def leaf_terms(self, x: Array) -> Array:
        """|x|^q, with derivative 0 at 0."""
        size = x * jnp.sign(x)
        return jnp.where(x == 0, 0.0, jnp.where(x == 0, 1.0, size) ** self.q)

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Half or two-thirds thresholding; an infinite step gives 0."""
        return shrunk(partial(_root, 2 / 3 if self.q > 0.6 else 1 / 2), x, step)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _root(q: float, x: Array, step: Array) -> Array:
    """argmin over z >= 0 of step z^q + ½(z - x)² for x >= 0.

    The threshold is (2 - q)/(2 - 2q) β with β = (2(1 - q) step)^(1/(2 - q)), the smallest nonzero value.
    """
    beta = (2 * (1 - q)) ** (1 / (2 - q)) * step ** (1 / (2 - q))
    dropped = x <= (2 - q) / (2 - 2 * q) * beta
    size, pull = jnp.where(dropped, 1.0, x), jnp.where(dropped, 0.0, step)
    power = round(1 / (1 - q))
    root = jnp.sqrt(size) if power == 2 else jnp.exp(jnp.log(size) / 3)
    return jnp.where(dropped, 0.0, x * _largest_root(q * (pull / size / root), power) ** power)


def _largest_root(v: Array, power: int) -> Array:
    """The largest s with s^(power + 1) - s + v = 0, by Newton's steps from 1, which fall to it monotonically.

    Above the threshold the slope at the root is at least 1: the count reaches rounding, and trigonometry costs more.
    """
    s = jnp.ones_like(v)
    for _ in range(_NEWTON_STEPS):
        high = s**power
        s = s - (s * high - s + v) / ((power + 1) * high - 1)
    return s


@_root.defjvp
def _root_jvp(q: float, primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    """Of the stationarity z + step q z^(q-1) = x, in which nothing overflows."""
    (x, step), (dx, dstep) = primals, tangents
    z = _root(q, x, step)
    kept = z > 0
    size, pull = jnp.where(kept, z, 1.0), jnp.where(kept, step, 0.0)
    slope = q * size ** (q - 1)
    bend = (1 - q) * (pull / size) * slope
    return z, jnp.where(kept, (dx - slope * dstep) / (1 - bend), 0.0)
