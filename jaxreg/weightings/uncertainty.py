"""Weights by learned observation noise."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike, PyTree
from jaxreg.weightings._base import Stateful, start, within
from jaxreg.weightings._learned import learned


@pytree
class Uncertainty(Stateful):
    """wᵢ = exp(-sᵢ)/2 with sᵢ = log σᵢ², where s descends Σ ½exp(-sᵢ)lossᵢ + ½sᵢ.

    Homoscedastic uncertainty (Kendall, Gal and Cipolla 2018, eq. 7). Gradient steps of length `rate` on s, which
    is the state; their limit is exp(sᵢ) = lossᵢ.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.weightings.Uncertainty()(jnp.eye(2), jnp.array([1.0, 4.0])).tolist()
    [0.5, 0.5]
    """

    rate: ArrayLike = 0.01
    from_gramian = False
    from_losses = True

    def init(self, tasks: int, like: PyTree = 0.0) -> Array:
        """Unit variances."""
        return start(tasks, like)

    def update(
        self, gramian: ArrayLike, state: Any, losses: ArrayLike | None = None, key: Array | None = None
    ) -> tuple[Array, Any]:
        """The weights, and the log-variances after this step."""
        weights, logs = learned(self, gramian, -jnp.asarray(state), losses, self.rate, level=0.5)
        return weights, -logs

    def check(self) -> None:
        """Raise ValueError unless rate > 0."""
        within(self, "rate", 0.0, strict=True)
