"""Isotonic regression by merging sorted halves: log n levels of array operations, exact like pooling of neighbours."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate

import jax
import jax.numpy as jnp

from jaxreg._typing import Array

_BLOCK = 8


@jax.custom_jvp
def isotonic(y: Array, weights: Array) -> Array:
    """argmin Σ w (z - y)²/2 over z increasing along the last axis, for weights > 0.

    Blocks of eight come first, by all means of neighbours. Then two solved halves L, R meet at the one value v with
    Σ w max(L - v, 0) = Σ w max(v - R, 0): the entries of L above and of R below it are pooled, the others stay
    (pooling in any order gives the solution: Barlow et al. 1972, Theorem 1.3; Ayer et al. 1955).
    """
    n = y.shape[-1]
    fill = max(1 << max(n - 1, 0).bit_length(), _BLOCK) - n
    top = jnp.max(y, axis=-1, keepdims=True)  # beside it nothing is pooled
    z = jnp.concatenate([y, jnp.broadcast_to(top, (*y.shape[:-1], fill))], -1)
    w = jnp.concatenate([weights, jnp.zeros((*y.shape[:-1], fill), y.dtype)], -1)
    short = (*z.shape[:-1], -1, _BLOCK)
    z, half = _blocks(z.reshape(short), w.reshape(short)).reshape(z.shape), _BLOCK
    while half < n:
        shape = (*z.shape[:-1], -1, 2, half)
        pairs, share = z.reshape(shape), w.reshape(shape)
        left, right = pairs[..., 0, :], pairs[..., 1, :]
        value = _meeting(left, right, share[..., 0, :], share[..., 1, :])
        z = jnp.stack([jnp.minimum(left, value), jnp.maximum(right, value)], -2).reshape(z.shape)
        half *= 2
    return z[..., :n]


@isotonic.defjvp
def _isotonic_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    """Weighted means over the pooled blocks; equal neighbours that were in order are no block."""
    (y, w), (dy, dw) = primals, tangents
    z = isotonic(y, w)
    first = jnp.concatenate([jnp.ones_like(z[..., :1], bool), z[..., 1:] != z[..., :-1]], -1)
    block = jnp.cumsum(first.reshape(-1)) - 1

    def sums(x: Array) -> Array:
        return jax.ops.segment_sum(x.reshape(-1), block, block.size, indices_are_sorted=True)[block].reshape(x.shape)

    pooled = sums(jnp.abs(y - z)) > 0
    return z, jnp.where(pooled, sums(w * dy + (y - z) * dw) / sums(w), dy)


def _blocks(y: Array, w: Array) -> Array:
    """Regressions of short rows: zᵢ = max_{j<=i} min_{k>=i} of the mean of j ... k (Barlow et al. 1972, (1.9))."""
    columns = [(y[..., i], w[..., i]) for i in range(_BLOCK)]
    z = [jnp.full(y.shape[:-1], -jnp.inf, y.dtype)] * _BLOCK
    for j, (first, mass) in enumerate(columns):
        means, pull = [first], jnp.zeros_like(first)
        for entry, share in columns[j + 1 :]:
            mass, pull = mass + share, pull + share * (entry - first)
            means.append(first + pull / jnp.where(mass > 0, mass, 1.0))
        least = list(accumulate(reversed(means), jnp.minimum))[::-1]
        z = [*z[:j], *map(jnp.maximum, z[j:], least)]
    return jnp.stack(z, -1)


def _meeting(left: Array, right: Array, wl: Array, wr: Array) -> Array:
    """The value at which sorted halves meet: the mean of the entries above it on the left and below it on the right.

    The last value of the left one where they are in order.
    """

    def excess(v: Array) -> Array:
        above = wl[..., None, :] * jnp.maximum(left[..., None, :] - v[..., None], 0.0)
        below = wr[..., None, :] * jnp.maximum(v[..., None] - right[..., None, :], 0.0)
        return jnp.sum(above, -1) - jnp.sum(below, -1)

    first = _leading(jnp.stack([left, right], -2), excess)
    place = jnp.arange(left.shape[-1]).reshape((1,) * (left.ndim - 1) + (-1,))
    above, below = jnp.where(place >= first[..., 0, :], wl, 0.0), jnp.where(place < first[..., 1, :], wr, 0.0)
    last, mass = left[..., -1:], jnp.sum(above + below, -1, keepdims=True)
    pull = jnp.sum(above * (left - last) + below * (right - last), -1, keepdims=True)
    pooled = last + pull / jnp.where(mass > 0, mass, 1.0)
    return jnp.where(last > right[..., :1], pooled, last)


def _leading(values: Array, excess: Callable[[Array], Array]) -> Array:
    """The number of ascending values, of either half, at which a decreasing function is positive, by bisection."""
    half = values.shape[-1]

    def probe(_: int, bounds: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bounds
        middle = (low + high) // 2
        there = jnp.take_along_axis(values, jnp.minimum(middle, half - 1), -1)
        beyond = (excess(there[..., 0])[..., None] > 0) & (low < high)
        return jnp.where(beyond, middle + 1, low), jnp.where(beyond, high, middle)

    low = jnp.zeros((*values.shape[:-1], 1), jnp.int32)
    return jax.lax.fori_loop(0, half.bit_length(), probe, (low, low + half))[0]
