"""Euclidean norms of nested groups: hierarchical selection."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg._pytree import pytree, static
from jaxreg._typing import Array
from jaxreg.penalties._base import Leafwise
from jaxreg.penalties._scaled import weigh
from jaxreg.penalties.groups._family import (
    Family,
    check_weights,
    entries,
    family_of,
    fitted,
    levels,
    scaled_slices,
    slices,
    weights_of,
)
from jaxreg.penalties.groups._grouping import Labelled
from jaxreg.penalties.groups._norms import norm, shrinkage

_ROOT_STEPS = 60


@pytree
class TreeL2(Leafwise):
    """Weighted norms of groups that are nested or disjoint, Σ_g w_g ‖x_g‖ (Jenatton et al. 2011).

    `groups` lists the indices of every group on one `axis`; together they cover it. An entry of parameters with more
    axes is a slice, as in `GroupL2`. A group that leaves takes the groups inside along: a tree selects by branches,
    and single entries with their groups give the sparse group lasso. `weights` (G,) are
    √(entries in the group) unless given; 0 leaves a group out. The prox is one block soft thresholding per group,
    from the leaves to the root (their Theorem 1), and the dual norm the smallest step whose prox is 0, found by
    Newton's steps on a convex function.

    Raises ValueError for groups that overlap otherwise or do not fit the axis.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> g = jr.TreeL2([(0,), (1,), (0, 1)], weights=jnp.ones(3))
    >>> g.prox(jnp.array([6.0, 0.5]), 1.0).tolist()
    [4.0, 0.0]
    """

    groups: Any = static()
    weights: Any = None
    axis: int = static(default=-1)
    homogeneous = gauge = even = dualisable = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "groups", family_of(self.groups))
        levels(self.groups)

    def check(self) -> None:
        """Raise ValueError unless there is a weight >= 0 for every group."""
        check_weights("TreeL2", self.weights, self.groups)

    def leaf_value(self, x: Array) -> Array:
        """The sum of the weighted norms."""
        sizes, total = slices(x, self.axis), jnp.zeros((), x.dtype)
        for floor in self._floors(x):
            terms = norm(sizes, floor.by)
            total = total + jnp.sum(weigh(floor.weights, terms, terms.shape))
        return total

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Block soft thresholding, floor by floor."""
        step = jnp.asarray(step, x.dtype).reshape(())
        return scaled_slices(x, _climbed(slices(x, self.axis), self._floors(x), step)[0], self.axis)

    def leaf_dual_terms(self, u: Array) -> Array:
        """The smallest step whose prox of u is 0; infinite where an entry without weight is not 0."""
        sizes, floors = slices(u, self.axis), self._floors(u)
        loads = _loads(floors, sizes)
        least = jnp.where(loads > 0, sizes / jnp.where(loads > 0, loads, 1.0), 0.0)
        found = _vanishing(sizes, floors, jnp.max(least, initial=0))
        return jnp.where(jnp.any((loads == 0) & (sizes > 0)), jnp.inf, found)

    def leaf_floor(self) -> Any:
        """The smallest sum of weights over an entry, or a negative weight."""
        if self.weights is None:
            return 1.0
        w = jnp.asarray(self.weights, float)
        loads = _loads(_floors(self.groups, w), jnp.zeros(entries(self.groups), w.dtype))
        return jnp.minimum(jnp.min(loads, initial=jnp.inf), jnp.where(jnp.any(w < 0), jnp.min(w, initial=0), jnp.inf))

    def _floors(self, x: Array) -> list[_Floor]:
        fitted("TreeL2", self.groups, x, self.axis)
        return _floors(self.groups, weights_of(self.weights, self.groups, x, self.axis))


class _Floor(NamedTuple):
    """Disjoint groups, their weights, and which have no group above; the last stands for entries in none, weight 0."""

    by: Labelled
    weights: Array
    tops: np.ndarray


def _floors(family: Family, weights: Array) -> list[_Floor]:
    made = []
    for level in levels(family):
        by = Labelled(level.labels, len(level.groups) + 1, -1, False)
        w = jnp.append(weights[np.asarray(level.groups)], jnp.zeros((), weights.dtype))
        made.append(_Floor(by, w, np.asarray((*level.tops, False))))
    return made


def _loads(floors: list[_Floor], sizes: Array) -> Array:
    """The sum of the weights over every entry."""
    return sum((f.by.spread(f.weights, sizes.shape) for f in floors), jnp.zeros_like(sizes))


def _climbed(sizes: Array, floors: list[_Floor], step: Array) -> tuple[Array, Array]:
    """The prox as a factor of every entry, and the largest excess of a norm over its threshold at the tree's tops."""
    factors, excess = jnp.ones_like(sizes), jnp.full((), -jnp.inf, sizes.dtype)
    for floor in floors:
        r, cut = norm(sizes * factors, floor.by), weigh(floor.weights, step, floor.weights.shape)
        factors = factors * floor.by.spread(shrinkage(r, cut), sizes.shape)
        excess = jnp.maximum(excess, jnp.max(jnp.where(floor.tops, r - cut, -jnp.inf)))
    return factors, excess


def _vanishing(sizes: Array, floors: list[_Floor], start: Array) -> Array:
    """The step from which on nothing is left.

    The excess is a convex decreasing function of the step, so that Newton's steps from below rise to its root.
    """

    def newton(sizes: Array, floors: list[_Floor], c: Array) -> Array:
        excess, slope = jax.jvp(lambda c: _climbed(sizes, floors, c)[1], (c,), (jnp.ones_like(c),))
        down = jax.lax.stop_gradient(slope) < 0
        return c - jnp.where(down, excess / jnp.where(down, jax.lax.stop_gradient(slope), -1.0), 0.0)

    fixed = jax.lax.stop_gradient(sizes)
    frozen = [f._replace(weights=jax.lax.stop_gradient(f.weights)) for f in floors]

    def going(carry: tuple[Array, Array, Array]) -> Array:
        c, last, k = carry
        return (c > last) & (k < _ROOT_STEPS)

    def body(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        c, _, k = carry
        return newton(fixed, frozen, c), c, k + 1

    start = jax.lax.stop_gradient(start)
    root = jax.lax.while_loop(going, body, (start, jnp.full_like(start, -1.0), jnp.zeros((), jnp.int32)))[0]
    return newton(sizes, floors, root)  # one differentiable step carries the implicit derivative
