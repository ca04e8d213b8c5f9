"""Sums of penalties: g + h, by a theorem where their leaves meet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import jax.numpy as jnp

from jaxreg._pytree import pytree
from jaxreg._typing import Array
from jaxreg.penalties import _dual_rules, _rules
from jaxreg.penalties._base import Leafwise
from jaxreg.penalties._wrapped import parts_of


@pytree
class Sum(Leafwise):
    """g + h + ...; its prox exists where the leaves are disjoint or a theorem in `_rules` gives it."""

    terms: Any

    def __repr__(self) -> str:
        return " + ".join(map(repr, self.terms))

    convex = property(lambda self: all(t.convex for t in self.terms))
    elementwise = property(lambda self: all(t.elementwise for t in self.terms))
    even = property(lambda self: all(t.even for t in self.terms))
    quadratic = property(lambda self: all(t.quadratic for t in self.terms))
    metric = property(lambda self: _rules.in_metric([t for t in self.terms if not t.quadratic]))
    homogeneous = property(lambda self: all(t.homogeneous for t in self.terms))
    smooth = property(lambda self: all(t.smooth for t in self.terms))
    bounded = property(lambda self: any(t.bounded for t in self.terms))
    centred = property(lambda self: all(t.centred for t in self.terms))
    dualisable = property(lambda self: _has_conjugate(self.terms))
    composed = property(lambda self: any(t.composed for t in self.terms))
    iterative = property(lambda self: any(t.iterative for t in self.terms))
    gauge = property(lambda self: _is_gauge(self.terms))

    def check(self) -> None:
        """Check every term."""
        for term in self.terms:
            term.check()

    def parts(self, names: Sequence[str], named: bool = False) -> tuple[Leafwise | None, ...]:
        """What acts on each leaf: one term, or the sum of those that meet there."""
        rows = [parts_of(term, names, named) for term in self.terms]
        return tuple(_meet([p for p in column if p is not None]) for column in zip(*rows, strict=True))

    def leaf_value(self, x: Array) -> Array:
        """The sum of the values."""
        return reduce(jnp.add, [t.leaf_value(x) for t in self.terms])

    def leaf_total(self, x: Array) -> Array:
        """The sum of the values, each from what its term is to see."""
        return reduce(jnp.add, [t.leaf_total(x) for t in self.terms])

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """The prox by theorem; TypeError where none applies."""
        return _rules.prox_sum(self.terms, x, jnp.asarray(step, x.dtype))

    def leaf_dual_terms(self, u: Array) -> Array:
        """The dual terms of the gauge that the sum is besides quadratics."""
        if not self.gauge:
            return super().leaf_dual_terms(u)
        return _dual_rules.dual_terms([t for t in self.terms if not t.quadratic], u)

    def leaf_conjugate(self, u: Array) -> Array:
        """sup_x <u, x> - g(x), through the prox of the non-quadratic part when a quadratic makes it finite."""
        return _dual_rules.conjugate_sum(self.terms, u)

    def leaf_quadratic(self, x: Array) -> tuple[Array, Array]:
        """The sum of quadratics as one."""
        _, c, b = _rules.split(self.terms, x)
        return c, b

    def leaf_floor(self) -> Any:
        """The sum of the smallest strengths: zero only if every term may vanish somewhere."""
        return reduce(jnp.add, [jnp.asarray(t.leaf_floor()) for t in self.terms])


def _has_conjugate(terms: Sequence[Leafwise]) -> bool:
    """Whether a quadratic makes the conjugate finite or the rest is a gauge, and the rest has a prox.

    Where entries meet in the rest, a quadratic that may leave some of them flat does not do.
    """
    rest, quadratics = [t for t in terms if not t.quadratic], [t for t in terms if t.quadratic]
    apart = all(t.elementwise for t in rest)
    finite = any(apart or t.uniform for t in quadratics) or _dual_rules.is_gauge(rest)
    return finite and all(t.convex for t in terms) and (not rest or _rules.find(rest) is not None)


def _is_gauge(terms: Sequence[Leafwise]) -> bool:
    """Whether a gauge remains besides quadratics about zero: then it decides where zero is optimal."""
    return _dual_rules.is_gauge([t for t in terms if not t.quadratic]) and all(t.centred for t in terms)


def _meet(parts: list[Leafwise]) -> Leafwise | None:
    if len(parts) < 2:
        return parts[0] if parts else None
    flat = [q for p in parts for q in (p.terms if isinstance(p, Sum) else (p,))]
    return Sum(tuple(flat))


def each(penalty: Any, wrap: Callable[[Any], Leafwise]) -> Leafwise:
    """Wrap a penalty, or every term of a sum."""
    return Sum(tuple(wrap(term) for term in penalty.terms)) if isinstance(penalty, Sum) else wrap(penalty)
