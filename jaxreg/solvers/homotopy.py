"""The whole lasso path from knot to knot, for many Gram matrices in lockstep.

Between knots the solution and the correlations are linear in the strength s: with A the active features and σ their
signs, u(s) = C - sΣ holds coefficients on A and correlations c - Gw elsewhere, C and Σ being what the sweep operator on
A makes of c and σ (Osborne, Presnell and Turlach 2000; Efron et al. 2004; Goodnight 1979 for the operator). A feature
enters where |u| = s, leaves where u = 0, and either costs one update of rank one. Nothing is believed of the result:
rounding, ties and collinear features can spoil it, which the caller's certificate shows.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg._typing import Array

_TABLE = 1 << 17
"""So many numbers do the tableaus of a batch have at most, to stay in a processor's cache."""

_KNOTS = 4


class _Walk(NamedTuple):
    """Tableaus (B, q, q + 2) of [G, c, σ] swept on the active features, signs, strengths; then the knots so far."""

    table: Array
    sign: Array
    at: Array
    strengths: Array
    coefs: Array
    reached: Array


def lasso_paths(
    matrix: Array | np.ndarray, cross: Array | np.ndarray, weights: Array | np.ndarray, strengths: Array | np.ndarray
) -> Array:
    """Minimisers of ½w'Gw - c'w + s Σ weights |w| for every s of `strengths` (L,), descending: (B, L, q).

    `matrix` is (B, q, q), `cross` and `weights` (B, q); a weight of infinity excludes, none may be 0. From the last
    knot that was reached on, coefficients stay as they are. Batches of one size, a power of two, share a program.
    """
    count, q = np.shape(cross)
    lanes = 1 << min(max(_TABLE // q**2, 1).bit_length() - 1, (count - 1).bit_length())
    found = []
    for first in range(0, count, lanes):
        some = [x if lanes == count else x[first : first + lanes] for x in (matrix, cross, weights)]
        pad = lanes - len(some[0])
        some = [jnp.pad(x, ((0, pad), *((0, 0),) * (np.ndim(x) - 1))) for x in some] if pad else some
        part = _paths(*some, strengths)
        found.append(part[: lanes - pad] if pad else part)
    return jnp.concatenate(found) if len(found) > 1 else found[0]


@jax.jit
def _paths(matrix: Array, cross: Array, weights: Array, strengths: Array) -> Array:
    """One chunk, in units in which every weight is 1."""
    unit = jnp.where((weights > 0) & jnp.isfinite(weights), 1 / jnp.where(weights > 0, weights, 1.0), 0.0)
    size = jnp.diagonal(matrix, axis1=1, axis2=2) * jnp.square(unit)
    unit = jnp.where(size > 0, unit, 0.0)
    scaled = matrix * unit[:, :, None] * unit[:, None, :]
    walk = _walk(scaled, cross * unit, size, strengths[-1])
    return _between(walk, strengths) * unit[:, None, :]


def _walk(matrix: Array, cross: Array, size: Array, last: Array) -> _Walk:
    lanes, q = cross.shape
    most = _KNOTS * (q + 2)
    table = jnp.concatenate([matrix, cross[:, :, None], jnp.zeros_like(cross)[:, :, None]], -1)
    top = jnp.max(jnp.abs(cross), -1)
    knots = jnp.full((most, lanes), -jnp.inf, cross.dtype).at[0].set(top)
    zeros = jnp.zeros((most, lanes, q), cross.dtype)
    start = _Walk(table, jnp.zeros_like(cross), top, knots, zeros, jnp.ones((), jnp.int32))

    def going(walk: _Walk) -> Array:
        return (walk.reached < most) & jnp.any(walk.at > last)

    return jax.lax.while_loop(going, partial(_step, size, last), start)


def _step(size: Array, last: Array, walk: _Walk) -> _Walk:
    """To the next knot of every problem: one feature enters or leaves."""
    table, sign, at, q = walk.table, walk.sign, walk.at[:, None], walk.sign.shape[1]
    C, slope, diagonal = table[..., q], table[..., q + 1], jnp.diagonal(table[..., :q], axis1=1, axis2=2)
    events, side = _events(C, slope, sign, diagonal > jnp.finfo(size.dtype).eps ** 0.7 * size)
    events = jnp.minimum(jnp.where(at > last, events, -jnp.inf), at)
    k = jnp.argmax(events, -1)
    one = k[:, None] == jnp.arange(q)[None]
    pick = partial(jnp.take_along_axis, indices=k[:, None], axis=1)
    event = pick(events)[:, 0]
    next_at, moving = jnp.maximum(event, 0.0), event > 0
    enters = pick(sign)[:, 0] == 0
    gone = one & (moving & ~enters)[:, None]
    coefs = jnp.where((sign != 0) & ~gone, C - next_at[:, None] * slope, 0.0)
    new = jnp.where(enters, pick(side)[:, 0], 0.0)
    table = table.at[..., q + 1].add(jnp.where(one & (moving & enters)[:, None], new[:, None], 0.0))
    table = _sweep(table, k, one, moving)
    table = table.at[..., q + 1].add(-jnp.where(gone, sign, 0.0))
    sign = jnp.where(one & moving[:, None], new[:, None], sign)
    strengths = walk.strengths.at[walk.reached].set(next_at)
    return _Walk(table, sign, next_at, strengths, walk.coefs.at[walk.reached].set(coefs), walk.reached + 1)


def _events(C: Array, slope: Array, sign: Array, usable: Array) -> tuple[Array, Array]:
    """The strength at which every feature enters or leaves next, -inf for never, and the sign it would have."""
    leaving = jnp.where((sign * slope < 0) & (sign * C < 0), C / jnp.where(slope != 0, slope, 1.0), -jnp.inf)
    up = jnp.where((1 + slope > 0) & (C > 0), C / jnp.where(1 + slope > 0, 1 + slope, 1.0), -jnp.inf)
    down = jnp.where((1 - slope > 0) & (C < 0), -C / jnp.where(1 - slope > 0, 1 - slope, 1.0), -jnp.inf)
    entering = jnp.where(usable, jnp.maximum(up, down), -jnp.inf)
    return jnp.where(sign != 0, leaving, entering), jnp.where(up >= down, 1.0, -1.0).astype(C.dtype)


def _sweep(table: Array, k: Array, one: Array, moving: Array) -> Array:
    """The sweep operator on feature k of every problem, its own inverse, as one update of rank one.

    Row and column k are emptied first: what a large pivot p hides would be lost in p - (p² - 1)/p, which is 1/p.
    """
    column = jnp.take_along_axis(table, k[:, None, None], axis=2)[..., 0]
    row = jnp.take_along_axis(table, k[:, None, None], axis=1)[:, 0]
    pivot = jnp.where(moving[:, None], jnp.take_along_axis(column, k[:, None], axis=1), 1.0)
    one = one & moving[:, None]
    wide = jnp.pad(one, ((0, 0), (0, 2)))
    column = jnp.where(one, -1.0, jnp.where(moving[:, None], column, 0.0))
    row = jnp.where(wide, 1.0, row) / pivot
    return jnp.where(one[:, :, None] | wide[:, None, :], 0.0, table) - column[:, :, None] * row[:, None, :]


def _between(walk: _Walk, strengths: Array) -> Array:
    """Coefficients at the strengths asked for, linear between knots, (B, L, q)."""
    knots = walk.strengths.T
    passed = jnp.sum(knots[:, None, :] >= strengths[None, :, None], -1)
    below = jnp.clip(passed, 1, walk.reached - 1)
    at = jnp.take_along_axis(knots, below - 1, 1), jnp.take_along_axis(knots, below, 1)
    span = at[0] - at[1]
    share = jnp.clip(jnp.where(span > 0, (at[0] - strengths[None]) / jnp.where(span > 0, span, 1.0), 1.0), 0.0, 1.0)
    share = jnp.where(passed == 0, 0.0, share)[..., None]
    coefs = jnp.swapaxes(walk.coefs, 0, 1)
    high = jnp.take_along_axis(coefs, (below - 1)[..., None], 1)
    low = jnp.take_along_axis(coefs, below[..., None], 1)
    return (1 - share) * high + share * low
