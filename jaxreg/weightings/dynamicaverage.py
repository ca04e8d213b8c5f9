"""Dynamic weight average: by the rate at which each loss falls."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxreg._linalg import widen
from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike, PyTree
from jaxreg.weightings._base import Stateful, keep, needed, start, within
from jaxreg.weightings._gram import square, there


class AverageState(NamedTuple):
    """The losses of the last step and of the one before, 0 where there was none."""

    last: Array
    before: Array


@pytree
class DynamicAverage(Stateful):
    """wᵢ = T softmax(r/temperature)ᵢ with rᵢ = loss(t-1)ᵢ/loss(t-2)ᵢ (Liu, Johns and Davison 2019, eq. 7).

    r is 1 in a task's first two steps. The paper's losses are means over an epoch: update once an epoch, or give
    running means.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.weightings.DynamicAverage()(jnp.eye(2), jnp.array([1.0, 4.0])).tolist()
    [1.0, 1.0]
    """

    temperature: ArrayLike = 2.0
    from_gramian = False
    from_losses = True

    def init(self, tasks: int, like: PyTree = 0.0) -> AverageState:
        """No losses yet."""
        return AverageState(start(tasks, like), start(tasks, like))

    def update(
        self, gramian: ArrayLike, state: Any, losses: ArrayLike | None = None, key: Array | None = None
    ) -> tuple[Array, Any]:
        """The weights, by the losses of the last two steps."""
        G = square(gramian)
        present, dtype = there(G), widen(G).dtype
        now = needed(self, losses, dtype, present)
        last, before = state.last.astype(dtype), state.before.astype(dtype)
        fall = jnp.where(before != 0, last / jnp.where(before != 0, before, 1.0), 1.0)
        logits = jnp.where(present, fall / jnp.asarray(self.temperature, dtype), -jnp.inf)
        weights = jnp.where(present, jnp.sum(present) * jax.nn.softmax(logits), 0.0)
        new = AverageState(keep(present, now, state.last), keep(present, last, state.before))
        return weights.astype(G.dtype), new

    def check(self) -> None:
        """Raise ValueError unless temperature > 0."""
        within(self, "temperature", 0.0, strict=True)
