"""What dual bounds need of penalties: conjugates at scaled dual points, and what limits the scale.

A penalty whose conjugate has no closed form still has one subgradient that its prox knows: u = (v - z)/t with
z = prox(v, t) is in ∂g(z), so that g*(u) = <u, z> - g(z) (Fenchel's equality; Moreau 1965).
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import jax.numpy as jnp

from jaxreg._typing import Array
from jaxreg.penalties import Leafwise


class Side(Protocol):
    """What a dual bound needs of the penalty of one array at minus its gradient u: g*(κu), and what limits κ."""

    def conjugate(self, scale: Array) -> Array: ...
    def top(self) -> Array | None: ...
    @property
    def tight(self) -> bool: ...


class Stated(NamedTuple):
    """A penalty that states its conjugate."""

    part: Leafwise
    u: Array

    def conjugate(self, scale: Array) -> Array:
        """g*(κu)."""
        return self.part.leaf_conjugate(scale * self.u)

    def top(self) -> Array | None:
        """The dual norm, which must not be above 1 after scaling."""
        return self.part.leaf_dual(self.u) if self.part.gauge or self.part.seminorm or self.part.polar else None

    @property
    def tight(self) -> bool:
        """Whether a quadratic on some entries only leaves a constraint that rounding may miss."""
        return self.part.gauge and not self.part.homogeneous


class Touched(NamedTuple):
    """A penalty of which one subgradient u is known: g*(u), and g*(0), infinite where unknown."""

    there: Array
    zero: Array

    def conjugate(self, scale: Array) -> Array:
        """κ g*(u) + (1 - κ) g*(0) >= g*(κu)."""
        return jnp.where(scale == 1, self.there, scale * self.there + (1 - scale) * self.zero)

    def top(self) -> None:
        """Every κ <= 1 serves."""

    @property
    def tight(self) -> bool:
        """No: u is feasible by construction."""
        return False


class Estimated(NamedTuple):
    """A seminorm whose dual norm at u is known from above."""

    norm: Array

    def conjugate(self, scale: Array) -> Array:
        """0 where the scaled dual norm is at most 1, to rounding."""
        slack = 16 * jnp.finfo(self.norm.dtype).eps
        return jnp.where(scale * self.norm <= 1 + slack, 0.0, jnp.inf).astype(self.norm.dtype)

    def top(self) -> Array:
        """The dual norm."""
        return self.norm

    @property
    def tight(self) -> bool:
        """No: the norm is an upper bound."""
        return False


def touched(part: Leafwise, z: Array, u: Array) -> Touched:
    """A penalty at its subgradient u in ∂g(z), g(0) known where nothing is below it."""
    least = -part.leaf_value(jnp.zeros_like(z))
    still = jnp.zeros_like(least) if part.indicator or part.homogeneous else least
    known = part.indicator or part.homogeneous or part.centred
    return Touched(jnp.sum(u * z) - part.leaf_value(z), still if known else jnp.full_like(least, jnp.inf))
