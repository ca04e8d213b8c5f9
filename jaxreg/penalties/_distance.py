"""Distances to a set: a set made soft."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from jaxreg._pytree import pytree
from jaxreg._typing import Array
from jaxreg.penalties._base import Leafwise
from jaxreg.penalties._leaf import prox_leaf
from jaxreg.penalties._wrapped import inherited, parts_of
from jaxreg.penalties.groups import L2


@pytree
class Distance(Leafwise):
    """Euclidean distance ‖x - P(x)‖ of a whole array to a convex set, P its projection.

    The prox goes from x towards P(x) by step, and stops there (Beck 2017, Lemma 6.43). Raises TypeError for what is
    no convex set.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.Distance(jr.NonNegative()).prox(jnp.array([1.0, -3.0]), 2.0).tolist()
    [1.0, -1.0]
    """

    penalty: Any
    convex, homogeneous, centred, iterative = inherited("convex", "homogeneous", "centred", "iterative")

    def check(self) -> None:
        """Check the set."""
        self.penalty.check()

    def parts(self, names: Sequence[str], named: bool = False) -> tuple[Leafwise | None, ...]:
        """The distance of every leaf to its set."""
        return tuple(None if p is None else Distance(p) for p in _sets(self, names, named))

    def leaf_value(self, x: Array) -> Array:
        """‖x - P(x)‖, with derivative 0 in the set."""
        return L2().leaf_value(x - _projected(self.penalty, x))

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Block soft thresholding of x - P(x)."""
        near = _projected(self.penalty, x)
        rest = x - near
        kept = L2().leaf_prox(rest, jnp.asarray(step, x.dtype))
        return jnp.where(jnp.all(kept == 0), near, x - (rest - kept))


@pytree
class SquaredDistance(Leafwise):
    """Half the squared Euclidean distance ½‖x - P(x)‖² to a convex set, P its projection.

    The prox is (x + step P(x))/(1 + step) (Beck 2017, Example 6.65). In a diagonal metric P projects in the metric
    1 + step: of ½‖z - y‖² + Σ (z - x)²/(2 step) with y in the set the least over z is Σ (y - x)²/(2 (1 + step)). Raises
    TypeError for what is no convex set.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.SquaredDistance(jr.NonNegative()).prox(jnp.array([1.0, -3.0]), 2.0).tolist()
    [1.0, -1.0]
    """

    penalty: Any
    convex, elementwise, uniform, metric = inherited("convex", "elementwise", "uniform", "metric")
    dualisable, centred, iterative = inherited("dualisable", "centred", "iterative")
    smooth = True

    def check(self) -> None:
        """Check the set."""
        self.penalty.check()

    def parts(self, names: Sequence[str], named: bool = False) -> tuple[Leafwise | None, ...]:
        """The squared distance of every leaf to its set."""
        return tuple(None if p is None else SquaredDistance(p) for p in _sets(self, names, named))

    def leaf_terms(self, x: Array) -> Array:
        """½(x - P(x))², one term an entry if the set is elementwise."""
        terms = 0.5 * jnp.square(x - _projected(self.penalty, x))
        return terms if self.elementwise else jnp.sum(terms)

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """A part of the way to the projection."""
        step = jnp.asarray(step, x.dtype)
        finite = jnp.where(jnp.isinf(step), 1.0, step)
        near = prox_leaf(self.penalty, x, 1 + step) if step.ndim else _projected(self.penalty, x)
        return jnp.where(jnp.isinf(step), near, x + finite / (1 + finite) * (near - x))

    def leaf_conjugate(self, u: Array) -> Array:
        """The support function of the set plus ½‖u‖²."""
        return self.penalty.leaf_conjugate(u) + 0.5 * jnp.sum(jnp.square(u))


def _projected(penalty: Leafwise, x: Array) -> Array:
    return prox_leaf(penalty, x, jnp.ones((), x.dtype))


def _sets(distance: Any, names: Sequence[str], named: bool) -> tuple[Leafwise | None, ...]:
    inner = parts_of(distance.penalty, names, named)
    if not all(p is None or (p.indicator and p.convex) for p in inner):
        raise TypeError(f"{distance!r} needs a convex set such as Box(-1.0, 1.0) or NonNegative().")
    return inner
