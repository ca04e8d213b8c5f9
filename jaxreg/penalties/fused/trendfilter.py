"""Absolute higher differences: trend filtering, piecewise polynomial fits."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg._linalg import matmul
from jaxreg._pytree import pytree, static
from jaxreg._typing import Array
from jaxreg.penalties._base import Leafwise
from jaxreg.penalties.fused._interior import active_bounds
from jaxreg.penalties.fused.tv1d import TV1D

_REPAIRS = 20


@pytree
class TrendFilter(Leafwise):
    """Differences of order k + 1 along an axis, Σ|Δᵏ⁺¹x| (Kim et al. 2009; Tibshirani 2014): pieces of degree k.

    Order 0 is `TV1D`. Otherwise the prox finds the knots by an interior point on the dual and repairs them by active
    sets until they satisfy the optimality conditions; given the knots it is a projection, by one QR factorisation. It
    is dense, for series up to about 2 000 entries, and loses digits as (length of a piece)ᵏ⁺¹: use float64 for long
    ones. An infinite strength gives the least-squares polynomial of degree k. Raises ValueError for a negative order.

    >>> import jax.numpy as jnp, numpy as np, jaxreg as jr
    >>> np.asarray(jr.TrendFilter(1).prox(jnp.array([0.0, 0.0, 6.0]), 100.0)).round(3).tolist()
    [-1.0, 2.0, 5.0]
    """

    order: int = static(default=1)
    axis: int = static(default=-1)
    homogeneous = iterative = True

    def __post_init__(self) -> None:
        if not isinstance(self.order, int) or self.order < 0:
            raise ValueError(f"TrendFilter(order={self.order!r}): expected an integer >= 0.")

    comonotone = property(lambda self: self.order == 0)

    def leaf_terms(self, x: Array) -> Array:
        """|Δᵏ⁺¹x|, with derivative 0 at 0."""
        if x.shape[_axis(self, x)] <= self.order + 1:
            return jnp.zeros_like(jax.lax.slice_in_dim(x, 0, 0, axis=_axis(self, x)))
        step = jnp.diff(x, self.order + 1, axis=self.axis)
        return step * jnp.sign(step)

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Projection on the pieces between the knots, row by row."""
        n = x.shape[_axis(self, x)]
        if self.order == 0:
            return TV1D(self.axis).leaf_prox(x, step)
        if n <= self.order + 1:
            return x
        rows = jnp.moveaxis(x, self.axis, -1)
        step = jnp.asarray(step, jnp.promote_types(x.dtype, jnp.float32))
        step = jnp.moveaxis(step, self.axis, -1) if step.ndim else step
        strength = jnp.broadcast_to(step, (*rows.shape[:-1], n - self.order - 1))
        D = jnp.asarray(np.diff(np.eye(n), self.order + 1, axis=0), step.dtype)
        flat = rows.astype(step.dtype).reshape(-1, n), strength.reshape(-1, n - self.order - 1)
        moved = _trends(*flat, D)[0]
        return jnp.moveaxis(moved.reshape(rows.shape), -1, self.axis).astype(x.dtype)


def _axis(g: TrendFilter, x: Array) -> int:
    if not -x.ndim <= g.axis < x.ndim:
        raise ValueError(f"{g!r} acts along axis {g.axis}, but the array has shape {x.shape}: give another axis.")
    return g.axis % x.ndim


@jax.custom_jvp
def _trend_prox(x: Array, strength: Array, D: Array) -> tuple[Array, Array]:
    """argmin_z Σ strength|Dz| + ½‖z - x‖² of one row, and the signs of the differences at the knots."""
    top = jnp.max(jnp.abs(x))
    usable = (top > 0) & jnp.isfinite(top)
    scale = jnp.ldexp(jnp.ones_like(top), jnp.frexp(jnp.where(usable, top, 1.0))[1])  # dividing by it is exact
    y, given = x / scale, strength / scale
    limit = float(len(x)) ** (len(x) - len(strength))  # no multiplier of an unconstrained fit is larger
    u, knots = active_bounds(D, y, jnp.clip(given, jnp.finfo(x.dtype).eps, limit))

    def repair(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        knots, _, count = carry
        new = _repaired(knots, y, given, D)
        return new, jnp.any(new != knots), count + 1

    start = knots, jnp.any(given >= 0), jnp.zeros((), jnp.int32)
    knots, open_, _ = jax.lax.while_loop(lambda c: c[1] & (c[2] < _REPAIRS), repair, start)
    near, exact = y - matmul(u, D), _fit(knots, y, given, D)[0]
    better = open_ & (_objective(near, y, given, D) < _objective(exact, y, given, D))
    faulty = jnp.any(jnp.isnan(strength)) | ~jnp.all(jnp.isfinite(x))
    return jnp.where(faulty, jnp.nan, scale * jnp.where(better, near, exact)), knots


@_trend_prox.defjvp
def _trend_jvp(primals: tuple, tangents: tuple) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """With the knots fixed the prox is a projection of x, less what the knots pull."""
    (x, strength, D), (dx, dstrength, _) = primals, tangents
    z, knots = _trend_prox(x, strength, D)
    moved = _project(dx - matmul(knots * dstrength, D), knots, D)[0]
    return (z, knots), (moved, jnp.zeros_like(knots))


def _fit(knots: Array, x: Array, strength: Array, D: Array) -> tuple[Array, Array]:
    """z with differences of 0 off the knots, and the dual point that goes with it."""
    force = jnp.where(knots == 0, 0.0, knots * strength)
    z, u = _project(x - matmul(force, D), knots, D)
    return z, jnp.where(knots == 0, u, force)


def _project(v: Array, knots: Array, D: Array) -> tuple[Array, Array]:
    """v less its projection Dᵀu on the rows of D off the knots, and u; a QR factorisation with these rows first."""
    order = jnp.argsort(knots != 0, stable=True)
    free = (knots == 0)[order]
    q, r = jnp.linalg.qr(jnp.where(free[:, None], D[order], 0.0).T)
    part = jnp.where(free, matmul(v, q), 0.0)
    square = jnp.where(free[:, None] & free[None, :], r, jnp.eye(len(free), dtype=r.dtype))
    u = jax.scipy.linalg.solve_triangular(square, part[:, None])[:, 0]
    return v - matmul(q, part), jnp.zeros_like(u).at[order].set(u)


def _repaired(knots: Array, x: Array, strength: Array, D: Array) -> Array:
    """A knot stays where its difference has the sign of its force; one is added where the dual leaves its bounds."""
    z, u = _fit(knots, x, strength, D)
    difference, slack = matmul(D, z), jnp.finfo(x.dtype).eps ** 0.75
    added = jnp.where(jnp.abs(u) > strength * (1 + slack), jnp.sign(u), 0.0)
    kept = jnp.where(knots * difference > 0, knots, 0.0)
    free = jnp.where(difference < 0, -1.0, 1.0)
    return jnp.where(strength == 0, free, jnp.where(knots == 0, added, kept)).astype(x.dtype)


def _objective(z: Array, x: Array, strength: Array, D: Array) -> Array:
    size = jnp.abs(matmul(D, z))
    penalty = jnp.where(size <= jnp.finfo(x.dtype).eps, 0.0, size * strength)
    return jnp.sum(penalty) + 0.5 * jnp.sum(jnp.square(z - x))


_trends = jax.vmap(_trend_prox, in_axes=(0, 0, None))
