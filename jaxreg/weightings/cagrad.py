"""Conflict-averse gradient descent."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxreg._linalg import einsum, matmul
from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike
from jaxreg.weightings._base import Weighting, within
from jaxreg.weightings._gram import Gram, split, square
from jaxreg.weightings._qp import simplex

STEPS = 16


@pytree
class CAGrad(Weighting):
    """The direction near the mean gradient g₀ that helps the worst task most: argmax_d minᵢ gᵢ·d, ‖d - g₀‖ <= c‖g₀‖.

    d = g₀ + c‖g₀‖ g_w/‖g_w‖, with w on the simplex minimising g_w·g₀ + c‖g₀‖‖g_w‖ (Liu et al. 2021, algorithm 1).
    `radius` is their c: 0 is the mean gradient, and below 1 the limit is stationary for the mean loss.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.weightings.CAGrad(radius=0.0)(jnp.diag(jnp.array([1.0, 3.0]))).round(4).tolist()
    [0.5, 0.5]
    """

    radius: ArrayLike = 0.5

    def __call__(self, gramian: ArrayLike, losses: ArrayLike | None = None, key: Array | None = None) -> Array:
        """The weights: those of the mean, and as much of the worst tasks as the radius allows."""
        G = square(gramian)
        gram = split(G)
        mean = gram.mean * gram.norms
        top = jnp.max(jnp.where(gram.present, gram.norms, 0.0))
        top = jnp.where(top > 0, top, 1.0)
        length = jnp.sqrt(jnp.maximum(einsum("i,ij,j->", mean, gram.cosines, mean), 0.0)) / top
        units, size = _worst(gram, mean / top, jnp.asarray(self.radius, length.dtype) * length, top)
        # What rounding may have cancelled counts as length, so that the ball holds where ‖g_w‖ is next to nothing.
        floor = 4 * len(G) * jnp.finfo(length.dtype).eps * jnp.sum(units) ** 2
        longest = jnp.sqrt(size**2 + floor)
        pull = jnp.asarray(self.radius, length.dtype) * length / jnp.where(longest > 0, longest, 1.0)
        return gram.weights(mean + pull * top * units, G.dtype)

    def check(self) -> None:
        """Raise ValueError unless radius >= 0."""
        within(self, "radius", 0.0)


@jax.jit
def _worst(gram: Gram, mean: Array, reach: Array, top: Array) -> tuple[Array, Array]:
    """The unit-gradient weights of the hardest mixture and its length, with gradients divided by `top`.

    ‖g_w‖ = min_s (‖g_w‖²/s + s)/2 makes it a quadratic program for each s; the best s is its length, found by
    regula falsi (the Illinois rule).
    """
    across = matmul(gram.cosines, mean)
    a = jnp.where(gram.present, top / gram.norms, 0.0)

    def at(s: Array) -> tuple[Array, Array]:
        units = simplex(gram.cosines, a, jnp.where(gram.present, across * s / jnp.where(reach > 0, reach, 1.0), 0.0))
        return units, jnp.sqrt(jnp.maximum(einsum("i,ij,j->", units, gram.cosines, units), 0.0))

    def narrow(k: Array, at_work: tuple[_Bracket, Array, Array]) -> tuple[_Bracket, Array, Array]:
        bracket = at_work[0]
        s = jnp.where(k == 0, bracket.low, jnp.where(k == 1, bracket.high, bracket.crossing()))
        units, size = at(s)
        return bracket.narrowed(s, size - s), units, size

    zero, one = jnp.zeros_like(reach), jnp.ones_like(reach)
    return jax.lax.fori_loop(
        0, STEPS, narrow, (_Bracket(zero, zero, one, zero, zero > 0), jnp.zeros_like(across), zero)
    )[1:]


class _Bracket(NamedTuple):
    """Where a falling function is >= 0 and <= 0, its values there, and whether the low end moved last.

    The value at an end that stays twice is halved (Illinois).
    """

    low: Array
    above: Array
    high: Array
    below: Array
    up: Array

    def crossing(self) -> Array:
        """The zero of the chord."""
        span = self.above - self.below
        chord = (self.high * self.above - self.low * self.below) / jnp.where(span > 0, span, 1.0)
        return jnp.clip(jnp.where(span > 0, chord, self.low), self.low, self.high)

    def narrowed(self, s: Array, value: Array) -> _Bracket:
        """The part that still holds the zero."""
        up = value > 0
        kept = jnp.where(up == self.up, 0.5, 1.0).astype(value.dtype)
        return _Bracket(
            jnp.where(up, s, self.low),
            jnp.where(up, value, kept * self.above),
            jnp.where(up, self.high, s),
            jnp.where(up, kept * self.below, value),
            up,
        )
