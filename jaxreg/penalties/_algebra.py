"""The calculus of penalties: strength * g, g + h, g.on(glob), g.shift(b)."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg import _tree
from jaxreg._pytree import pytree, show, static
from jaxreg._typing import Array
from jaxreg.penalties import _rules
from jaxreg.penalties._base import Leafwise, Penalty, prox_leaf


def scaled(strength: Any, penalty: Penalty) -> Penalty:
    """Strength * penalty; sums distribute. Strengths nest, so that numbers of every make have one structure."""
    if isinstance(strength, Penalty):
        raise TypeError("A penalty is multiplied by a strength (a number or array), not by a penalty.")
    if isinstance(penalty, Sum):
        return Sum(tuple(scaled(strength, term) for term in penalty.terms))
    return Scaled(strength, penalty)


def added(left: Any, right: Any) -> Penalty:
    """Left + right, flattened; the number 0 is neutral, so that `sum` works."""
    if isinstance(left, (int, float)) and left == 0:
        return right
    if isinstance(right, (int, float)) and right == 0:
        return left
    if not (isinstance(left, Penalty) and isinstance(right, Penalty)):
        other = right if isinstance(left, Penalty) else left
        raise TypeError(f"A penalty adds to a penalty, not to {type(other).__name__}.")
    terms = [p.terms if isinstance(p, Sum) else (p,) for p in (left, right)]
    return Sum((*terms[0], *terms[1]))


def placed(glob: str, penalty: Penalty) -> Penalty:
    """The penalty on the leaves that match; sums distribute."""
    if isinstance(penalty, Sum):
        return Sum(tuple(placed(glob, term) for term in penalty.terms))
    return On(penalty, glob)


def shifted(centre: Any, penalty: Penalty) -> Penalty:
    """The penalty of x - centre; sums distribute."""
    if isinstance(penalty, Sum):
        return Sum(tuple(shifted(centre, term) for term in penalty.terms))
    return Shift(penalty, centre)


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

    convex = property(lambda self: self.penalty.convex)
    homogeneous = property(lambda self: self.penalty.homogeneous)
    gauge = property(lambda self: self.penalty.gauge)
    elementwise = property(lambda self: self.penalty.elementwise)
    radial = property(lambda self: self.penalty.radial)
    indicator = property(lambda self: self.penalty.indicator)
    quadratic = property(lambda self: self.penalty.quadratic)
    metric = property(lambda self: self.penalty.metric)
    smooth = property(lambda self: self.penalty.smooth)
    bounded = property(lambda self: self.penalty.bounded)

    dualisable = property(lambda self: _keeps_conjugate(self.penalty))

    def check(self) -> None:
        """Raise ValueError for a negative or NaN strength."""
        if not any(isinstance(x, jax.core.Tracer) for x in jax.tree.leaves(self.strength)):
            s = np.asarray(self.strength, float)
            if not np.all(s >= 0):
                raise ValueError(f"strength is {show(self.strength)}, expected numbers >= 0 (inf excludes).")
        self.penalty.check()

    def parts(self, names: Sequence[str], named: bool = False) -> tuple[Leafwise | None, ...]:
        """Every part of g, scaled."""
        return tuple(None if p is None else _scaled_part(self.strength, p) for p in _parts(self.penalty, names, named))

    def leaf_terms(self, x: Array) -> Array:
        """Terms of g times their strengths; a set holds whatever its strength."""
        terms = self.penalty.leaf_terms(x)
        if self.indicator:
            return terms
        return weigh(self.strength, terms, terms.shape)

    def leaf_value(self, x: Array) -> Array:
        """strength * g(x)."""
        return jnp.sum(self.leaf_terms(x))

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """prox of g at strength * step."""
        step = jnp.asarray(step, x.dtype)
        if self.indicator:
            return self.penalty.leaf_prox(x, step)
        return prox_leaf(self.penalty, x, weigh(self.strength, step, self._terms_shape(x)))

    def _terms_shape(self, x: Array) -> tuple[int, ...]:
        return jax.eval_shape(self.penalty.leaf_terms, x).shape if np.ndim(self.strength) else ()

    def leaf_dual_terms(self, u: Array) -> Array:
        """Dual terms of g over their strengths: infinite where an unpenalised entry is not zero."""
        terms = self.penalty.leaf_dual_terms(u)
        s = jnp.broadcast_to(jnp.asarray(self.strength, u.dtype), terms.shape)
        free = jnp.where(terms > 0, jnp.inf, 0.0).astype(u.dtype)
        return jnp.where(s > 0, terms / jnp.where(s > 0, s, 1.0), free)

    def leaf_conjugate(self, u: Array) -> Array:
        """s g*(u / s)."""
        if self.indicator:
            return self.penalty.leaf_conjugate(u)
        return _rules.conjugate_sum([self], u) if self.quadratic else super().leaf_conjugate(u)

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
    """Gauges, quadratics and sets keep their conjugate under a strength."""
    return g.dualisable and (g.gauge or g.quadratic or g.indicator)


def _scaled_part(strength: Any, part: Leafwise) -> Leafwise:
    return Sum(tuple(Scaled(strength, p) for p in part.terms)) if isinstance(part, Sum) else Scaled(strength, part)


def _parts(penalty: Penalty, names: Sequence[str], named: bool) -> tuple[Leafwise | None, ...]:
    if not isinstance(penalty, Leafwise):
        raise TypeError(
            f"{type(penalty).__name__} couples whole trees: it can be used alone, but not be scaled, placed, shifted "
            "or added. Derive it from jaxreg.Leafwise and stack what is coupled on an axis."
        )
    return penalty.parts(names, named)


@pytree
class On(Leafwise):
    """g restricted to the leaves whose path, or a parent of it, matches a glob; named leaves include intercepts."""

    penalty: Any
    glob: str = static()
    convex = property(lambda self: self.penalty.convex)
    smooth = property(lambda self: self.penalty.smooth)
    bounded = property(lambda self: self.penalty.bounded)

    def __repr__(self) -> str:
        inner = repr(self.penalty)
        return f"({inner}).on({self.glob!r})" if isinstance(self.penalty, Scaled) else f"{inner}.on({self.glob!r})"

    def check(self) -> None:
        """Check what is placed."""
        self.penalty.check()

    def parts(self, names: Sequence[str], named: bool = False) -> tuple[Leafwise | None, ...]:
        """The parts of g on matching leaves. Raises ValueError, listing the leaves, when none matches."""
        hits = [name for name in names if _matches(name, self.glob)]
        if not hits:
            listed = ", ".join(repr(name) for name in names) or "none"
            raise ValueError(f".on({self.glob!r}) matches no leaf of the parameters; the leaves are: {listed}.")
        found = dict(zip(hits, _parts(self.penalty, hits, True), strict=True))
        return tuple(found.get(name) for name in names)


def _matches(name: str, glob: str) -> bool:
    pieces = name.split("/")
    return any(fnmatchcase("/".join(pieces[: i + 1]), glob) for i in range(len(pieces)))


@pytree
class Shift(Leafwise):
    """g(x - centre); the centre is a number, an array, or a tree of the parameters' form."""

    penalty: Any
    centre: Any

    def __repr__(self) -> str:
        inner = f"({self.penalty!r})" if isinstance(self.penalty, Scaled) else repr(self.penalty)
        shown = show(self.centre) if jax.tree_util.treedef_is_leaf(jax.tree.structure(self.centre)) else self.centre
        return f"{inner}.shift({shown})"

    convex = property(lambda self: self.penalty.convex)
    elementwise = property(lambda self: self.penalty.elementwise)
    indicator = property(lambda self: self.penalty.indicator)
    quadratic = property(lambda self: self.penalty.quadratic)
    metric = property(lambda self: self.penalty.metric)
    smooth = property(lambda self: self.penalty.smooth)
    bounded = property(lambda self: self.penalty.bounded)
    dualisable = property(lambda self: self.penalty.dualisable)

    def check(self) -> None:
        """Raise ValueError for a centre that is not finite."""
        leaves = jax.tree.leaves(self.centre)
        if not any(isinstance(x, jax.core.Tracer) or np.all(np.isfinite(x)) for x in leaves):
            raise ValueError(f"the centre of {self!r} must be finite.")
        self.penalty.check()

    def parts(self, names: Sequence[str], named: bool = False) -> tuple[Leafwise | None, ...]:
        """Every part of g, moved to its own leaf of the centre."""
        leaves, given = jax.tree.leaves(self.centre), _tree.names(self.centre)
        table = dict(zip(given, leaves, strict=True))
        inner = _parts(self.penalty, names, named)
        if given == ("",):
            table = dict.fromkeys(names, leaves[0])
        missing = [n for n, p in zip(names, inner, strict=True) if p is not None and n not in table]
        if missing:
            raise ValueError(f".shift(centre) has no leaf for {missing}; its leaves are {list(given)}.")
        return tuple(None if p is None else _shifted_part(table[n], p) for n, p in zip(names, inner, strict=True))

    def leaf_terms(self, x: Array) -> Array:
        """Terms of g at x - centre."""
        return self.penalty.leaf_terms(x - self._centre(x))

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """centre + prox of g at x - centre."""
        b = self._centre(x)
        return b + self.penalty.leaf_prox(x - b, step)

    def leaf_conjugate(self, u: Array) -> Array:
        """g*(u) + <u, centre>."""
        return self.penalty.leaf_conjugate(u) + jnp.sum(u * self._centre(u))

    def leaf_quadratic(self, x: Array) -> tuple[Array, Array]:
        """The same curvature, the centre moved."""
        c, b = self.penalty.leaf_quadratic(x)
        return c, b + self._centre(x)

    def leaf_floor(self) -> Any:
        """The smallest strength of g."""
        return self.penalty.leaf_floor()

    def _centre(self, x: Array) -> Array:
        return jnp.broadcast_to(jnp.asarray(self.centre, x.dtype), x.shape)


def _shifted_part(centre: Any, part: Leafwise) -> Leafwise:
    return Sum(tuple(Shift(p, centre) for p in part.terms)) if isinstance(part, Sum) else Shift(part, centre)


@pytree
class Sum(Leafwise):
    """g + h + ...; its prox exists where the leaves are disjoint or a theorem in `_rules` gives it."""

    terms: Any

    def __repr__(self) -> str:
        return " + ".join(map(repr, self.terms))

    convex = property(lambda self: all(t.convex for t in self.terms))
    elementwise = property(lambda self: all(t.elementwise for t in self.terms))
    quadratic = property(lambda self: all(t.quadratic for t in self.terms))
    metric = property(lambda self: all(t.metric or t.quadratic for t in self.terms))
    homogeneous = property(lambda self: all(t.homogeneous for t in self.terms))
    smooth = property(lambda self: all(t.smooth for t in self.terms))
    bounded = property(lambda self: any(t.bounded for t in self.terms))

    dualisable = property(lambda self: _has_conjugate(self.terms))
    gauge = property(lambda self: _is_gauge(self.terms))

    def check(self) -> None:
        """Check every term."""
        for term in self.terms:
            term.check()

    def parts(self, names: Sequence[str], named: bool = False) -> tuple[Leafwise | None, ...]:
        """What acts on each leaf: one term, or the sum of those that meet there."""
        rows = [_parts(term, names, named) for term in self.terms]
        return tuple(_meet([p for p in column if p is not None]) for column in zip(*rows, strict=True))

    def leaf_value(self, x: Array) -> Array:
        """The sum of the values."""
        return reduce(jnp.add, [t.leaf_value(x) for t in self.terms])

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """The prox by theorem; TypeError where none applies."""
        return _rules.prox_sum(self.terms, x, jnp.asarray(step, x.dtype))

    def leaf_dual_terms(self, u: Array) -> Array:
        """The dual terms of the one gauge in the sum."""
        if not self.gauge:
            return super().leaf_dual_terms(u)
        return next(t for t in self.terms if not t.quadratic).leaf_dual_terms(u)

    def leaf_conjugate(self, u: Array) -> Array:
        """sup_x <u, x> - g(x), through the prox of the non-quadratic part when a quadratic makes it finite."""
        return _rules.conjugate_sum(self.terms, u)

    def leaf_quadratic(self, x: Array) -> tuple[Array, Array]:
        """The sum of quadratics as one."""
        _, c, b = _rules.split(self.terms, x)
        return c, b

    def leaf_floor(self) -> Any:
        """The sum of the smallest strengths: zero only if every term may vanish somewhere."""
        return reduce(jnp.add, [jnp.asarray(t.leaf_floor()) for t in self.terms])


def _has_conjugate(terms: Sequence[Leafwise]) -> bool:
    """Whether a quadratic makes the conjugate finite and the rest has a prox."""
    rest = [t for t in terms if not t.quadratic]
    return len(rest) < len(terms) and (not rest or _rules.find(rest) is not None)


def _is_gauge(terms: Sequence[Leafwise]) -> bool:
    """Whether one gauge remains besides quadratics about zero: then it decides where zero is optimal."""
    rest = [t for t in terms if not t.quadratic]
    return len(rest) == 1 and rest[0].gauge and not any(isinstance(t, Shift) for t in terms)


def _meet(parts: list[Leafwise]) -> Leafwise | None:
    if len(parts) < 2:
        return parts[0] if parts else None
    flat = [q for p in parts for q in (p.terms if isinstance(p, Sum) else (p,))]
    return Sum(tuple(flat))
