"""Dual norms and conjugates of sums on one leaf: what certificates and the largest strength need of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp

from jaxreg._typing import Array
from jaxreg.penalties._root import rise
from jaxreg.penalties._rules import Part, find, in_metric, is_line, split


def is_gauge(rest: Sequence[Part]) -> bool:
    """Whether non-quadratic parts make one gauge: a single one, or functions max(ax, -bx) >= 0, and a group norm."""
    if len(rest) == 1 or not any(p.gauge for p in rest):
        return len(rest) == 1 and rest[0].gauge
    joined = [p for p in rest if not is_line(p)]
    norms = all(p.radial and p.gauge and p.homogeneous for p in joined) and len(joined) < 2
    return norms and all(p.centred for p in rest)


def dual_terms(rest: Sequence[Part], u: Array) -> Array:
    """Dual terms of that gauge: u/a where u > 0, -u/b below, with a and b the values at 1 and -1; of norms, a root."""
    if len(rest) == 1:
        return rest[0].leaf_dual_terms(u)
    ones, lines = jnp.ones_like(u), [p for p in rest if is_line(p)]
    slope = reduce(jnp.add, [jnp.where(u > 0, p.leaf_terms(ones), p.leaf_terms(-ones)) for p in lines])
    free = jnp.where(u == 0, 0.0, jnp.inf).astype(u.dtype)
    alone = jnp.where(slope > 0, jnp.abs(u) / jnp.where(slope > 0, slope, 1.0), free)
    return alone if len(lines) == len(rest) else _vanishing(rest[-1], u, slope, alone)


def _vanishing(norms: Part, u: Array, slope: Array, alone: Array) -> Array:
    """The step c from which the prox of lines and norms of groups leaves nothing of a group, at each of its entries.

    It is the root of g°(max(|u| - c slope, 0)) - c, with g° the dual terms of the norms: convex and decreasing in c.
    Groups without a norm have the largest of their lines'.
    """
    steep = jnp.isinf(slope)
    size, slope = jnp.where(steep, 0.0, jnp.abs(u)), jnp.where(steep, 0.0, slope)
    bare = jnp.isinf(norms.leaf_dual_terms(jnp.ones_like(u)))

    def newton(c: Array, size: Array, slope: Array, norms: Any) -> Array:
        def excess(c: Array) -> Array:
            left = size - norms.leaf_spread(c, u) * slope
            return norms.leaf_dual_terms(jnp.where(left <= 0, 0.0, left)) - c

        over, fall = jax.jvp(excess, (c,), (jnp.ones_like(c),))
        return c - jnp.where(bare, 0.0, over / jax.lax.stop_gradient(jnp.where(bare, -1.0, fall)))

    fixed = jax.lax.stop_gradient((size, slope, norms))
    root = rise(lambda c: newton(c, *fixed), jnp.zeros_like(bare, u.dtype))
    return jnp.where(norms.leaf_spread(bare, u), alone, norms.leaf_spread(newton(root, size, slope, norms), u))


def conjugate_sum(parts: Sequence[Part], u: Array) -> Array:
    """Conjugate of a sum on one leaf, sup_x <u, x> - Σ g(x).

    Where the total curvature c > 0 the maximiser is x* = prox_{g/c}(u/c + b) (Moreau 1965), the centre b where it is
    infinite; entries without curvature have the conjugate of the rest. Where a norm joins entries of both kinds that
    conjugate, an upper bound, stands in for all. Raises TypeError where no prox of the rest is known.
    """
    rest, curvature, centre = split(parts, u)
    if rest and find(rest) is None:
        raise TypeError(f"No conjugate is known for the sum {' + '.join(map(repr, parts))} on one array.")
    if curvature.ndim and not in_metric(rest):
        raise TypeError(f"{rest!r} has no prox in a diagonal metric: no conjugate is known for the sum.")
    flat, rigid = curvature == 0, jnp.isinf(curvature)
    safe = jnp.where(flat | rigid, 1.0, curvature)
    x = u / jnp.broadcast_to(safe, u.shape) + centre
    for p in rest:
        x = p.leaf_prox(x, 1 / safe)
    x = jnp.where(jnp.broadcast_to(rigid, u.shape), centre, jnp.where(jnp.broadcast_to(flat, u.shape), 0.0, x))
    value = jnp.sum(u * x)
    for p in parts:
        value = value - p.leaf_value(x)
    value = jnp.where(jnp.any(flat & _unbounded(rest, u)), jnp.inf, value)
    if all(p.elementwise for p in rest) or not rest[0].gauge:
        return value
    whole = jnp.where(jnp.any(_unbounded(rest, u)), jnp.inf, 0.0) if is_gauge(rest) else rest[0].leaf_conjugate(u)
    return jnp.where(jnp.any(flat) & ~jnp.all(flat), whole, value)


def _unbounded(rest: Sequence[Part], u: Array) -> Array:
    """Where <u, x> - rest(x) grows without bound."""
    if not rest:
        return u != 0
    if is_gauge(rest):
        outside = dual_terms(rest, u) > 1 + 16 * jnp.finfo(u.dtype).eps
        return rest[0].leaf_spread(outside, u) if len(rest) == 1 else outside
    return jnp.ones(u.shape, bool)
