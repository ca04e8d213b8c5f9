"""Robust multi-task learning with excess risks."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxreg._linalg import widen
from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike, PyTree
from jaxreg.weightings._base import Stateful, keep, start, within
from jaxreg.weightings._gram import square, there


class ExcessState(NamedTuple):
    """Logarithms of the weights, sums of squared norms, and first excess risks (0 before a task has been seen)."""

    logits: Array
    squares: Array
    first: Array


@pytree
class ExcessMTL(Stateful):
    """Weights that grow exponentially with each task's excess risk, relative to its first one, and sum to 1.

    wᵢ ∝ wᵢ exp(rate Eᵢ/Eᵢ(0)) with Eᵢ = gᵢ'H⁻¹gᵢ (He et al. 2024, eq. 7 to 9), where H is AdaGrad's matrix in the form
    that a Gramian holds, one number per task: Eᵢ = ‖gᵢ‖²/√(Σ over steps ‖gᵢ‖²).

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.weightings.ExcessMTL()(jnp.diag(jnp.array([1.0, 4.0]))).tolist()
    [0.5, 0.5]
    """

    rate: ArrayLike = 1.0

    def init(self, tasks: int, like: PyTree = 0.0) -> ExcessState:
        """Equal weights, nothing seen."""
        zero = start(tasks, like)
        return ExcessState(zero, zero, zero)

    def update(
        self, gramian: ArrayLike, state: Any, losses: ArrayLike | None = None, key: Array | None = None
    ) -> tuple[Array, Any]:
        """The weights, and what has been seen after this step."""
        G = square(gramian)
        norms, present = jnp.diagonal(widen(G)), there(G)
        squares = state.squares.astype(norms.dtype) + norms
        excess = jnp.where(present, norms / jnp.sqrt(jnp.where(present, squares, 1.0)), 0.0)
        first = jnp.where(state.first > 0, state.first.astype(norms.dtype), excess)
        ratio = excess / jnp.where(first == 0, 1.0, first)
        logits = state.logits.astype(norms.dtype) + jnp.asarray(self.rate, norms.dtype) * ratio
        weights = jnp.where(present, jax.nn.softmax(jnp.where(present, logits, -jnp.inf)), 0.0)
        new = ExcessState(logits, squares, first)
        return weights.astype(G.dtype), ExcessState(*(keep(present, n, o) for n, o in zip(new, state, strict=True)))

    def check(self) -> None:
        """Raise ValueError unless rate > 0."""
        within(self, "rate", 0.0, strict=True)
