"""Gradient normalisation."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp

from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike, PyTree
from jaxreg.weightings._base import Stateful, keep, needed, start, within
from jaxreg.weightings._gram import Gram, split, square


class GradNormState(NamedTuple):
    """The weights, and each task's first loss (0 before it has been seen)."""

    weights: Array
    first: Array


@pytree
class GradNorm(Stateful):
    """Weights of sum T that descend Σ |wᵢ‖gᵢ‖ - Ḡ rᵢ^asymmetry| (Chen et al. 2018, eq. 1 and 2).

    Ḡ is the mean of wᵢ‖gᵢ‖, rᵢ the loss relative to the first one, over its mean: slow tasks are given larger
    gradients. Steps have length `rate` in units of Ḡ, so that no scale of the losses matters.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.weightings.GradNorm()(jnp.diag(jnp.array([1.0, 4.0])), jnp.array([1.0, 1.0])).tolist()
    [1.0, 1.0]
    """

    asymmetry: ArrayLike = 1.5
    rate: ArrayLike = 0.025
    from_losses = True

    def init(self, tasks: int, like: PyTree = 0.0) -> GradNormState:
        """Unit weights, no losses yet."""
        return GradNormState(start(tasks, like, 1.0), start(tasks, like))

    def update(
        self, gramian: ArrayLike, state: Any, losses: ArrayLike | None = None, key: Array | None = None
    ) -> tuple[Array, Any]:
        """The weights, and those of the next step."""
        G = square(gramian)
        gram = split(G)
        dtype = gram.norms.dtype
        now = needed(self, losses, dtype, gram.present)
        first = jnp.where(state.first != 0, state.first.astype(dtype), now)
        w = _shares(gram, state.weights.astype(dtype))
        moved = self._moved(gram, w, now / jnp.where(first != 0, first, 1.0))
        new = GradNormState(keep(gram.present, moved, state.weights), keep(gram.present, first, state.first))
        return w.astype(G.dtype), new

    def _moved(self, gram: Gram, w: Array, ratio: Array) -> Array:
        """One step of the weights; Ḡ and the targets are constants to it."""
        pulls = jnp.where(gram.present, w * gram.norms, 0.0)
        level = jnp.sum(pulls) / gram.number
        level = jnp.where(level == 0, 1.0, level)
        mean = jnp.sum(jnp.where(gram.present, ratio, 0.0)) / gram.number
        pace = ratio / jnp.where(mean == 0, 1.0, mean)
        slope = jnp.sign(pulls - level * pace ** jnp.asarray(self.asymmetry, w.dtype)) * gram.norms / level
        return _shares(gram, jnp.maximum(w - jnp.asarray(self.rate, w.dtype) * slope, 1e-3))

    def check(self) -> None:
        """Raise ValueError unless asymmetry >= 0 and rate > 0."""
        within(self, "asymmetry", 0.0)
        within(self, "rate", 0.0, strict=True)


def _shares(gram: Gram, w: Array) -> Array:
    """Weights scaled to a sum of the number of tasks that are there."""
    kept = jnp.where(gram.present, w, 0.0)
    total = jnp.sum(kept)
    return kept * gram.number / jnp.where(total == 0, 1.0, total)
