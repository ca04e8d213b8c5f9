"""Translation: g.shift(centre) is the penalty of x - centre."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg import _tree
from jaxreg._pytree import pytree, show
from jaxreg._typing import Array
from jaxreg.penalties._base import Leafwise
from jaxreg.penalties._forgive import forgiven
from jaxreg.penalties._leaf import wide
from jaxreg.penalties._scaled import Scaled
from jaxreg.penalties._sum import each
from jaxreg.penalties._wrapped import inherited, parts_of


@pytree
class Shift(Leafwise):
    """g(x - centre); the centre is a number, an array, or a tree of the parameters' form."""

    penalty: Any
    centre: Any

    def __repr__(self) -> str:
        inner = f"({self.penalty!r})" if isinstance(self.penalty, Scaled) else repr(self.penalty)
        shown = show(self.centre) if jax.tree_util.treedef_is_leaf(jax.tree.structure(self.centre)) else self.centre
        return f"{inner}.shift({shown})"

    convex, elementwise, indicator, quadratic = inherited("convex", "elementwise", "indicator", "quadratic")
    metric, smooth, bounded, dualisable = inherited("metric", "smooth", "bounded", "dualisable")
    uniform = property(lambda self: self.penalty.uniform and np.ndim(self.centre) == 0)
    composed, iterative = inherited("composed", "iterative")
    centred = False

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
        inner = parts_of(self.penalty, names, named)
        if given == ("",):
            table = dict.fromkeys(names, leaves[0])
        missing = [n for n, p in zip(names, inner, strict=True) if p is not None and n not in table]
        if missing:
            raise ValueError(f".shift(centre) has no leaf for {missing}; its leaves are {list(given)}.")
        return tuple(None if p is None else _moved(p, table[n]) for n, p in zip(names, inner, strict=True))

    def leaf_through(self, x: Array) -> tuple[Array, Leafwise]:
        """What g looks at, its outer penalty shifted by what the map makes of the centre."""
        moved, outer = self.penalty.leaf_through(x)
        return moved, Shift(outer, self.penalty.leaf_through(self._centre(x))[0])

    def leaf_terms(self, x: Array) -> Array:
        """Terms of g at x - centre."""
        b = self._centre(wide(x))
        if self.indicator:
            return forgiven(self.penalty, wide(x) - b, jnp.abs(wide(x)) + jnp.abs(b), x)
        return self.penalty.leaf_terms(x - b)

    def leaf_outside(self, x: Array) -> Array:
        """The domain of g, moved."""
        return self.penalty.leaf_outside(x - self._centre(x))

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """centre + prox of g at x - centre."""
        b = self._centre(x)
        return b + self.penalty.leaf_prox(x - b, step)

    def leaf_spread(self, terms: Array, x: Array) -> Array:
        """As g spreads them."""
        return self.penalty.leaf_spread(terms, x)

    def leaf_span(self, u: Array) -> Array:
        """That of g."""
        return self.penalty.leaf_span(u)

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


def _moved(part: Leafwise, centre: Any) -> Leafwise:
    return each(part, lambda term: Shift(term, centre))
