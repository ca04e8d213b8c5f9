"""Gradients that lie among the others, against a few that are arbitrary."""

from __future__ import annotations

import jax.numpy as jnp

from jaxreg._linalg import widen
from jaxreg._pytree import pytree, static
from jaxreg._typing import Array, ArrayLike
from jaxreg.weightings._base import Weighting
from jaxreg.weightings._gram import square, there


@pytree
class Krum(Weighting):
    """Weights 1/selected on the gradients closest to their T - outliers - 2 nearest neighbours, 0 on the others.

    The score is the sum of squared distances to these neighbours (Blanchard et al. 2017, section 4); several `selected`
    are Multi-Krum. Raises ValueError for fewer than outliers + 3 tasks, or fewer than are to be selected.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> rows = jnp.array([[1.0], [1.1], [1.3], [-9.0]])
    >>> jr.weightings.Krum(outliers=1)(rows @ rows.T).tolist()
    [1.0, 0.0, 0.0, 0.0]
    """

    outliers: int = static(default=1)
    selected: int = static(default=1)

    def __post_init__(self) -> None:
        """Raise ValueError unless outliers >= 0 and selected >= 1."""
        if self.outliers < 0 or self.selected < 1:
            raise ValueError(f"{self!r}: expected outliers >= 0 and selected >= 1.")

    def __call__(self, gramian: ArrayLike, losses: ArrayLike | None = None, key: Array | None = None) -> Array:
        """The weights, on the simplex."""
        G = square(gramian)
        tasks = len(G)
        if tasks < max(self.outliers + 3, self.selected):
            least = max(self.outliers + 3, self.selected)
            raise ValueError(f"{self!r} takes {least} tasks at least, got {tasks}.")
        wide, present = widen(G), there(G)
        norms = jnp.diagonal(wide)
        distance = jnp.maximum(norms[:, None] + norms[None, :] - 2 * wide, 0.0)
        others = present[:, None] & present[None, :] & ~jnp.eye(tasks, dtype=bool)
        near = jnp.sort(jnp.where(others, distance, jnp.inf), axis=1)
        counted = jnp.arange(tasks) < jnp.maximum(jnp.sum(present) - self.outliers - 2, 1)
        score = jnp.sum(jnp.where(counted[None, :] & ~(near == jnp.inf), near, 0.0), axis=1)
        rank = jnp.argsort(jnp.argsort(jnp.where(present, score, jnp.inf)))
        chosen = (rank < self.selected) & present
        share = chosen / jnp.maximum(jnp.sum(chosen), 1) + 0 * jnp.sum(wide)
        return share.astype(G.dtype)
