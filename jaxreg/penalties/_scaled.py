"""Strengths: strength * g."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg import _tree
from jaxreg._pytree import pytree, show
from jaxreg._typing import Array
from jaxreg.penalties import _dual_rules
from jaxreg.penalties._base import Leafwise, Penalty
from jaxreg.penalties._leaf import prox_leaf
from jaxreg.penalties._sum import each
from jaxreg.penalties._wrapped import inherited, parts_of


def weigh(strength: Any, amount: Array, shape: tuple[int, ...]) -> Array:
    """strength * amount with 0 * inf = 0; a strength that is no number is first broadcast to `shape`."""
    s = jnp.asarray(strength, amount.dtype)
    if s.ndim:
        try:
            s = jnp.broadcast_to(s, shape)
        except ValueError as error:
            raise ValueError(
                f"strength of shape {s.shape} does not broadcast to the penalty's terms of shape {shape}: give a "
                "number, one value per feature (last axis), or one per task as strength[:, None]."
            ) from error
    infinite, zero = jnp.isinf(s) | jnp.isinf(amount), (s == 0) | (amount == 0)
    limit = jnp.where(zero, 0.0, jax.lax.stop_gradient(s * amount))  # its derivative would be 0 * inf
    return jnp.where(infinite, limit, jnp.where(infinite, 0.0, s) * jnp.where(infinite, 0.0, amount))


def over(terms: Array, strength: Any) -> Array:
    """Dual terms over their strengths: infinite where the strength is 0 and the term is not."""
    s = jnp.broadcast_to(jnp.asarray(strength, terms.dtype), terms.shape)
    free = jnp.where(terms > 0, jnp.inf, 0.0).astype(terms.dtype)
    return jnp.where(s > 0, terms / jnp.where(s > 0, s, 1.0), free)


@pytree
class Scaled(Leafwise):
    """strength * g: the strength is a leaf, a number or an array that broadcasts over the terms of g.

    Zero leaves an entry unpenalised, infinity excludes it. Strengths must not be negative.
    """

    strength: Any
    penalty: Any

    def __repr__(self) -> str:
        inner = f"({self.penalty!r})" if isinstance(self.penalty, Scaled) else repr(self.penalty)
        return f"{show(self.strength)} * {inner}"

    convex, homogeneous, gauge, quadratic = inherited("convex", "homogeneous", "gauge", "quadratic")
    elementwise, even, radial, indicator = inherited("elementwise", "even", "radial", "indicator")
    seminorm, polar, comonotone, composed = inherited("seminorm", "polar", "comonotone", "composed")
    smooth, bounded, centred, iterative = inherited("smooth", "bounded", "centred", "iterative")
    uniform = property(lambda self: self.penalty.uniform and np.ndim(self.strength) == 0)
    metric = property(lambda self: self.penalty.metric and not (self.comonotone and np.ndim(self.strength)))
    dualisable = property(lambda self: _keeps_conjugate(self.penalty))
    estimable = property(lambda self: self.penalty.estimable and np.ndim(self.strength) == 0)

    def check(self) -> None:
        """Raise ValueError for a negative or NaN strength."""
        if not any(isinstance(x, jax.core.Tracer) for x in jax.tree.leaves(self.strength)):
            s = np.asarray(self.strength, float)
            if not np.all(s >= 0):
                raise ValueError(f"strength is {show(self.strength)}, expected numbers >= 0 (inf excludes).")
        self.penalty.check()

    def parts(self, names: Sequence[str], named: bool = False) -> tuple[Leafwise | None, ...]:
        """Every part of g, scaled."""
        inner = parts_of(self.penalty, names, named)
        return tuple(None if p is None else each(p, lambda g: Scaled(self.strength, g)) for p in inner)

    def leaf_through(self, x: Array) -> tuple[Array, Leafwise]:
        """What g looks at, and its outer penalty scaled."""
        moved, outer = self.penalty.leaf_through(x)
        return moved, Scaled(self.strength, outer)

    def leaf_terms(self, x: Array) -> Array:
        """Terms of g times their strengths; a set holds whatever its strength."""
        terms = self.penalty.leaf_terms(x)
        if self.indicator:
            return terms
        return jnp.where(self.leaf_outside(x), jnp.inf, weigh(self.strength, terms, terms.shape))

    def leaf_outside(self, x: Array) -> Array:
        """The domain of g."""
        return self.penalty.leaf_outside(x)

    def leaf_value(self, x: Array) -> Array:
        """strength * g(x)."""
        return jnp.sum(self.leaf_terms(x))

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """prox of g at strength * step."""
        step = jnp.asarray(step, x.dtype)
        if self.indicator:
            return self.penalty.leaf_prox(x, step)
        return prox_leaf(self.penalty, x, self._weighed(x, step))

    def _weighed(self, x: Array, step: Array) -> Array:
        """strength * step: a number, or shaped like the terms of g, or like x where either is."""
        if not np.ndim(self.strength):
            return weigh(self.strength, step, ())
        shape = jax.eval_shape(self.penalty.leaf_terms, x).shape
        s = weigh(self.strength, jnp.ones(shape, x.dtype), shape)
        whole = x.shape in (shape, step.shape)
        return weigh(self.leaf_spread(s, x) if whole else s, step, x.shape if whole else shape)

    def leaf_spread(self, terms: Array, x: Array) -> Array:
        """As g spreads them."""
        return self.penalty.leaf_spread(terms, x)

    def leaf_dual_terms(self, u: Array) -> Array:
        """Dual terms of g over their strengths: infinite where an unpenalised entry is not zero."""
        return over(self.penalty.leaf_dual_terms(u), self.strength)

    def leaf_dual_near(self, u: Array, x: Array) -> Array:
        """That of g over the strength."""
        s = jnp.asarray(self.strength, u.dtype)
        return self.penalty.leaf_dual_near(u / jnp.where(s > 0, s, 1.0), x)

    def leaf_span(self, u: Array) -> Array:
        """That of g."""
        return self.penalty.leaf_span(u)

    def leaf_conjugate(self, u: Array) -> Array:
        """s g*(u / s)."""
        if self.indicator:
            return self.penalty.leaf_conjugate(u)
        return _dual_rules.conjugate_sum([self], u) if self.quadratic else super().leaf_conjugate(u)

    def leaf_conjugate_terms(self, u: Array) -> Array:
        """s g*(u / s) term by term; what has strength 0 must be 0, at infinity only directions that g* forbids cost."""
        shape = jax.eval_shape(self.penalty.leaf_conjugate_terms, u).shape
        s = jnp.broadcast_to(jnp.asarray(self.strength, u.dtype), shape)
        usable = (s > 0) & jnp.isfinite(s)
        large = jnp.maximum(_tree.max_abs(u), 1.0) / jnp.finfo(u.dtype).eps
        scale = jnp.where(usable, s, jnp.where(s > 0, large, 1.0))
        terms = self.penalty.leaf_conjugate_terms(u / scale)
        outside = jnp.where(s > 0, jnp.isposinf(terms), terms != 0)
        return jnp.where(usable, scale * terms, jnp.where(outside, jnp.inf, 0.0).astype(u.dtype))

    def leaf_quadratic(self, x: Array) -> tuple[Array, Array]:
        """The curvature times the strength, the same centre."""
        c, b = self.penalty.leaf_quadratic(x)
        return weigh(self.strength, c, x.shape), b

    def leaf_floor(self) -> Any:
        """The smallest strength."""
        least, inner = jnp.min(jnp.asarray(self.strength)), jnp.asarray(self.penalty.leaf_floor())
        off = (least == 0) | (inner == 0)
        return jnp.where(off, 0.0, jnp.where(off, 1.0, least) * jnp.where(off, 1.0, inner))


def _keeps_conjugate(g: Penalty) -> bool:
    """Gauges, seminorms, quadratics, sets and conjugates stated by terms bear a strength."""
    return g.dualisable and (g.gauge or g.seminorm or g.quadratic or g.indicator or g.polar)
