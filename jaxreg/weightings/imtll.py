"""Impartial multi-task learning by losses."""

from __future__ import annotations

from typing import Any

from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike, PyTree
from jaxreg.weightings._base import Stateful, start, within
from jaxreg.weightings._learned import learned


@pytree
class IMTLL(Stateful):
    """wᵢ = exp(sᵢ), where s descends Σ exp(sᵢ)lossᵢ - sᵢ, so that all weighted losses tend to 1.

    Impartial learning by losses (Liu et al. 2021): gradient steps of length `rate` on s, which is the state. Their
    limit is wᵢ = 1/lossᵢ.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.weightings.IMTLL()(jnp.eye(2), jnp.array([1.0, 4.0])).tolist()
    [1.0, 1.0]
    """

    rate: ArrayLike = 0.01
    from_gramian = False
    from_losses = True

    def init(self, tasks: int, like: PyTree = 0.0) -> Array:
        """Unit weights."""
        return start(tasks, like)

    def update(
        self, gramian: ArrayLike, state: Any, losses: ArrayLike | None = None, key: Array | None = None
    ) -> tuple[Array, Any]:
        """The weights, and their logarithms after this step."""
        return learned(self, gramian, state, losses, self.rate, level=1.0)

    def check(self) -> None:
        """Raise ValueError unless rate > 0."""
        within(self, "rate", 0.0, strict=True)
