"""Fast adaptive multitask optimisation."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxreg._linalg import widen
from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike, PyTree
from jaxreg.weightings._base import Stateful, keep, needed, start, within
from jaxreg.weightings._gram import square, there


class FAMOState(NamedTuple):
    """The logits, and the logarithms of the last losses, with NaN before a task has been seen."""

    logits: Array
    last: Array


@pytree
class FAMO(Stateful):
    """wᵢ ∝ softmax(ξ)ᵢ/lossᵢ of sum 1, where ξ learns which loss falls too slowly.

    Liu et al. 2023, algorithm 1: ξ descends by `rate` along the softmax's derivative applied to log loss(t) - log
    loss(t+1), with weight decay `decay`; the step is taken at the next call, which brings the new losses. Positive
    losses; no gramian is needed, so that it costs as much as a sum.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.weightings.FAMO()(jnp.eye(2), jnp.array([1.0, 3.0])).round(4).tolist()
    [0.75, 0.25]
    """

    rate: ArrayLike = 0.025
    decay: ArrayLike = 1e-3
    from_gramian = False
    from_losses = True

    def init(self, tasks: int, like: PyTree = 0.0) -> FAMOState:
        """Equal logits, no losses yet."""
        return FAMOState(start(tasks, like), start(tasks, like, jnp.nan))

    def update(
        self, gramian: ArrayLike, state: Any, losses: ArrayLike | None = None, key: Array | None = None
    ) -> tuple[Array, Any]:
        """The weights by these losses, and the state after the step that they complete."""
        G = square(gramian)
        present, dtype = there(G), widen(G).dtype
        now = needed(self, losses, dtype, present)
        logs, old = jnp.log(now), state.logits.astype(dtype)
        known = present & ~jnp.isnan(state.last)
        fall = jnp.where(known, jnp.where(known, state.last.astype(dtype), 0.0) - logs, 0.0)
        shares = _softmax(old, present)
        slope = shares * (fall - jnp.sum(shares * fall)) + jnp.asarray(self.decay, dtype) * old
        logits = jnp.where(known, old - jnp.asarray(self.rate, dtype) * slope, old)
        pulls = _softmax(logits, present) / now
        total = jnp.sum(pulls)
        weights = pulls / jnp.where(total == 0, 1.0, total)
        new = FAMOState(keep(present, logits, state.logits), keep(present, logs, state.last))
        return weights.astype(G.dtype), new

    def check(self) -> None:
        """Raise ValueError unless rate > 0 and decay >= 0."""
        within(self, "rate", 0.0, strict=True)
        within(self, "decay", 0.0)


def _softmax(logits: Array, present: Array) -> Array:
    """The softmax over the tasks that are there, 0 for the others."""
    return jnp.where(present, jax.nn.softmax(jnp.where(present, logits, -jnp.inf)), 0.0)
