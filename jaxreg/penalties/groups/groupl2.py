"""Euclidean norms of labelled groups: the group lasso."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxreg._pytree import pytree, static
from jaxreg._typing import Array
from jaxreg.penalties._base import Leafwise
from jaxreg.penalties._scaled import over, weigh
from jaxreg.penalties.groups._grouping import Labelled
from jaxreg.penalties.groups._labels import check_axis, check_weights, labels_of
from jaxreg.penalties.groups._norms import block_prox, metric_prox, norm


@pytree
class GroupL2(Leafwise):
    """Weighted norms of groups of any size, Σ_g w_g ‖x_g‖: the group lasso (Yuan and Lin 2006).

    `labels` gives every entry of one `axis` the number 0..G-1 of its group. An entry of parameters with more axes is a
    slice: (tasks, features) with `axis=-1`, or (features, outputs) with `axis=0`, lose a group of features for all
    tasks or outputs together. With `joint=False` every index of the other axes has groups of its own. `weights` (G,)
    are √(entries in the group) unless given; strengths broadcast over the groups, which take the place of the axis.
    The prox is that of `L2` in each group, exact in a diagonal metric too.

    Raises ValueError for labels that are not 0..G-1, each in use, or do not fit the axis.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.GroupL2([0, 0, 1], weights=jnp.array([2.5, 1.0])).prox(jnp.array([3.0, 4.0, 0.5]), 1.0).tolist()
    [1.5, 2.0, 0.0]
    """

    labels: Any = static()
    weights: Any = None
    axis: int = static(default=-1)
    joint: bool = static(default=True)
    homogeneous = gauge = radial = metric = dualisable = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", labels_of(self.labels))

    def check(self) -> None:
        """Raise ValueError unless there is a weight >= 0 for every group."""
        if self.weights is not None:
            check_weights("GroupL2", self.weights, self._by.groups)

    def leaf_terms(self, x: Array) -> Array:
        """Weighted norms of the groups."""
        terms = norm(x, self._fitted(x))
        return weigh(self._weights(x), terms, terms.shape)

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Block soft thresholding, in a diagonal metric where `step` is shaped like x."""
        by, w, step = self._fitted(x), self._weights(x), jnp.asarray(step, x.dtype)
        if step.ndim and step.shape == x.shape:
            return metric_prox(x, weigh(by.spread(w, x.shape), step, x.shape), by)
        return block_prox(x, weigh(w, step, w.shape), by)

    def leaf_dual_terms(self, u: Array) -> Array:
        """Norms of the groups of u over their weights."""
        return over(norm(u, self._fitted(u)), self._weights(u))

    def leaf_spread(self, terms: Array, x: Array) -> Array:
        """Every entry its group's number."""
        return self._by.spread(terms, x.shape)

    def leaf_floor(self) -> Any:
        """The smallest weight."""
        return 1.0 if self.weights is None else jnp.min(jnp.asarray(self.weights), initial=jnp.inf)

    @property
    def _by(self) -> Labelled:
        return Labelled(self.labels, max(self.labels, default=-1) + 1, self.axis, self.joint)

    def _fitted(self, x: Array) -> Labelled:
        check_axis("GroupL2", x, self.axis, len(self.labels))
        return self._by

    def _weights(self, x: Array) -> Array:
        sizes = np.sqrt(self._by.sizes(x.shape)) if self.weights is None else self.weights
        return self._by.shaped(jnp.asarray(sizes, x.dtype), x.ndim)
