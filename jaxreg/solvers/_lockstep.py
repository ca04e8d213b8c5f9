"""Proximal Newton for samples that differ by their weights, all in step: X is read once for all of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxreg._linalg import matmul
from jaxreg._typing import Array
from jaxreg.penalties import Leafwise
from jaxreg.solvers._certificate import Reference, linear_gap
from jaxreg.solvers._descent import HALVINGS
from jaxreg.solvers._entering import weighed
from jaxreg.solvers._feasible import balanced
from jaxreg.solvers._problem import Smooth, bare
from jaxreg.solvers._quadratic_model import bent
from jaxreg.solvers.proximal_newton import Curved, curvature, newton_direction

_MOST, _PATIENCE = 100, 8
_WORTH = 0.1
"""Hessians are made anew where the last step left more than this part of some gap."""

_COMMON = 64
"""With so many rows per feature, curvatures at the whole sample's predictions serve its folds."""


class Lockstep(NamedTuple):
    """A linear model and F samples, the last one whole: their shares of the rows (F, n) and scales of gaps (F,).

    `order` (K, m) are the rows of each fold where folds part the rows, None elsewhere.
    """

    risk: Any
    X: Array
    y: Array
    shares: Array
    order: Array | None
    refs: Reference
    damping: Array
    intercept: bool

    def bound(self, share: Array) -> Smooth:
        """A sample's risk as a function of its predictions alone."""
        return bare(self.risk, self.y, share)


class Fitted(NamedTuple):
    """Coefficients (F, p) and intercepts (F,), objectives, gaps and steps (F,)."""

    coef: Array
    bias: Array
    value: Array
    gap: Array
    steps: Array


class _Slopes(NamedTuple):
    """Slopes in the predictions (F, n) and X' of them (F, p), and both balanced where an intercept is free."""

    raw: Array
    pulled: Array
    even: Array
    even_pulled: Array


class _At(NamedTuple):
    fit: Fitted
    predictions: Array
    slopes: _Slopes
    curved: Curved
    due: Array
    since: Array


def follow_lanes(
    m: Lockstep,
    part: Leafwise,
    strengths: Array,
    start: tuple[Array, Array],
    tol: Array,
    keep: Callable[[Array], Array],
) -> tuple[Fitted, Array]:
    """Minimise every sample's risk + s * part for every s of `strengths` (L,), descending, each from the one before.

    They start from coefficients (F, p) and intercepts (F,), 0 where none is free. Returns fits with a leading axis L,
    and of every strength's predictions (F, n) what `keep` makes of them.
    """
    coef, bias = start
    none, z = jnp.zeros(len(bias), jnp.int32), matmul(coef, m.X.T) + bias[:, None]
    blank = Curved(jnp.zeros((*coef.shape, coef.shape[1]), bias.dtype), z, coef)
    begin = _At(Fitted(coef, bias, bias, bias, none), z, _slopes(m, z), blank, jnp.array(True), none)

    def one(c: _At, s: Array) -> tuple[_At, tuple[Fitted, Array]]:
        g = weighed(s, part)
        value, gap = _judged(m, g, c.fit.coef, c.predictions, c.slopes)
        c = c._replace(fit=c.fit._replace(value=value, gap=gap, steps=none), since=none)
        end = jax.lax.while_loop(lambda c: jnp.any(_open(c, tol)), partial(_step, m, g, tol), c)
        return end, (end.fit, keep(end.predictions))

    return jax.lax.scan(one, begin, strengths)[1]


def slopes_of(f: Smooth, predictions: Array, intercept: bool) -> Array:
    """∂f/∂predictions, balanced where an intercept is free."""
    slopes = jax.grad(f.value_at)(predictions)
    return balanced(slopes, (0,)) if intercept else slopes


def _open(c: _At, tol: Array) -> Array:
    return (c.fit.gap > tol) & (c.fit.steps < _MOST) & (c.since < _PATIENCE)


def _slopes(m: Lockstep, z: Array) -> _Slopes:
    raw = jax.vmap(lambda share, z: slopes_of(m.bound(share), z, False))(m.shares, z)
    if not m.intercept:
        pulled = matmul(raw, m.X)
        return _Slopes(raw, pulled, raw, pulled)
    even = jax.vmap(lambda s: balanced(s, (0,)))(raw)
    pulled = matmul(jnp.concatenate([raw, even]), m.X)
    return _Slopes(raw, pulled[: len(raw)], even, pulled[len(raw) :])


def _judged(m: Lockstep, g: Leafwise, coef: Array, z: Array, slopes: _Slopes) -> tuple[Array, Array]:
    def lane(share: Array, ref: Reference, w: Array, z: Array, even: Array, grad: Array) -> tuple[Array, Array]:
        return linear_gap(m.bound(share), g, ref, w, z, even, grad)

    return jax.vmap(lane)(m.shares, m.refs, coef, z, slopes.even, slopes.even_pulled)


def _step(m: Lockstep, g: Leafwise, tol: Array, c: _At) -> _At:
    """One least squares and one line search of every sample; those that are done stay."""
    fit, live = c.fit, _open(c, tol)
    curved = jax.lax.cond(c.due, lambda: _curvature(m, c.predictions), lambda: c.curved)
    to = partial(newton_direction, g)
    move, shift = _each(to, fit.coef, fit.value, c.slopes.raw, c.slopes.pulled, curved)
    fine = live & jnp.all(jnp.isfinite(move), 1) & jnp.isfinite(shift)
    move, shift = jnp.where(fine[:, None], move, 0.0), jnp.where(fine & m.intercept, shift, 0.0)
    along = matmul(move, m.X.T) + shift[:, None]
    t = _length(m, g, c, move, along, fine)
    coef, z = fit.coef + t[:, None] * move, c.predictions + t[:, None] * along
    slopes = _slopes(m, z)
    value, gap = _judged(m, g, coef, z, slopes)
    due = jnp.any(live & (gap > tol) & ~(gap <= _WORTH * fit.gap))
    since = jnp.where(live & ~(gap < fit.gap), c.since + 1, 0)
    moved = Fitted(coef, fit.bias + t * shift, value, gap, fit.steps + live)
    return _At(moved, z, slopes, curved, due, since)


def _each(function: Callable[..., Any], *lanes: Any) -> Any:
    """Lane by lane on CPUs, where a batch of searches would take every branch of every one; else all together."""
    if len(lanes[0]) == 1:
        return jax.tree.map(lambda x: x[None], function(*jax.tree.map(lambda x: x[0], lanes)))
    one_by_one, together = partial(jax.lax.map, lambda lane: function(*lane)), jax.vmap(function)
    return jax.lax.platform_dependent(*lanes, cpu=lambda *x: one_by_one(x), default=together)


def _length(m: Lockstep, g: Leafwise, c: _At, move: Array, along: Array, live: Array) -> Array:
    """For every sample the longest of 1, ½, ¼, … by which its objective falls, to rounding; 0 where none does."""
    slack = 16 * jnp.finfo(along.dtype).eps * jnp.abs(c.fit.value)

    def lane(share: Array, w: Array, d: Array, z: Array, dz: Array, t: Array) -> Array:
        return m.bound(share).value_at(z + t * dz) + g.leaf_value(w + t * d)

    def short(t: Array) -> Array:
        there = jax.vmap(lane)(m.shares, c.fit.coef, move, c.predictions, along, t)
        return live & ~(there <= c.fit.value + slack)

    def halve(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        t = jnp.where(carry[1], 0.5 * carry[0], carry[0])
        return t, short(t), carry[2] + 1

    one = jnp.ones_like(c.fit.value)
    begin = one, short(one), jnp.zeros((), jnp.int32)
    t, rises, _ = jax.lax.while_loop(lambda k: jnp.any(k[1]) & (k[2] < HALVINGS), halve, begin)
    return jnp.where(rises, 0.0, t)


def _curvature(m: Lockstep, z: Array) -> Curved:
    """Hessians at every sample's own predictions, or of folds by subtraction at those of the whole sample."""
    if m.order is not None and len(m.y) >= _COMMON * m.X.shape[1]:
        return _subtracted(m, m.order, z[-1])
    bends = jax.vmap(lambda share, z: bent(m.bound(share), z)[1])(m.shares, z)
    return jax.lax.map(lambda b: curvature(m.X, b, m.damping, m.intercept), bends)


def _subtracted(m: Lockstep, order: Array, z: Array) -> Curved:
    share, features = m.shares[-1], m.X.shape[1]
    whole, tiny = bent(m.bound(share), z)[1], jnp.finfo(z.dtype).tiny
    unit = jnp.where(share > 0, whole / jnp.where(share > 0, share, 1.0), 0.0)
    about = matmul(whole, m.X) / jnp.maximum(jnp.sum(whole), tiny) if m.intercept else jnp.zeros(features, z.dtype)

    def part(rows: Array) -> tuple[Array, Array]:
        Z, b = jnp.take(m.X, rows, 0, mode="clip") - about[None], jnp.take(whole, rows, mode="fill", fill_value=0)
        return matmul(b, Z), matmul((Z * b[:, None]).T, Z)

    kept = 1 - jnp.sum(jnp.take(share, order, mode="fill", fill_value=0), 1)

    def left(parts: Array) -> Array:
        total = jnp.sum(parts, 0)
        apart = (total[None] - parts) / jnp.reshape(kept, (-1,) + (1,) * (parts.ndim - 1))
        return jnp.concatenate([apart, total[None]])

    first, second = (left(parts) for parts in jax.lax.map(part, order))
    bends = m.shares * unit[None]
    level = jnp.sum(bends, 1)
    mean = first / jnp.maximum(level, tiny)[:, None] if m.intercept else jnp.zeros_like(first)
    matrix = second - level[:, None, None] * mean[:, :, None] * mean[:, None]
    return Curved(matrix + m.damping * jnp.eye(features, dtype=z.dtype)[None], bends, about[None] + mean)
