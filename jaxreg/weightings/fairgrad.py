"""Fair resource allocation between tasks."""

from __future__ import annotations

import jax.numpy as jnp

from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike
from jaxreg.weightings._base import Weighting, within
from jaxreg.weightings._fair import balance
from jaxreg.weightings._gram import split, square


@pytree
class FairGrad(Weighting):
    """The α-fair direction: G w = w^(-1/α), w > 0, entry by entry (Ban and Ji 2024, eq. 4).

    The rates of descent r = G w maximise Σ r^(1-α)/(1-α) in a ball: `fairness` α = 1 is `NashMTL`, large α lifts the
    slowest task. The result conflicts with no task.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.weightings.FairGrad(fairness=1.0)(jnp.diag(jnp.array([1.0, 16.0]))).round(4).tolist()
    [1.0, 0.25]
    """

    fairness: ArrayLike = 2.0

    def __call__(self, gramian: ArrayLike, losses: ArrayLike | None = None, key: Array | None = None) -> Array:
        """The weights."""
        G = square(gramian)
        gram = split(G)
        beta = 1 / jnp.asarray(self.fairness, gram.norms.dtype)
        top = jnp.max(jnp.where(gram.present, gram.norms, 0.0))
        top = jnp.where(top > 0, top, 1.0)
        sizes = jnp.where(gram.present, gram.norms / top, 1.0)
        units = balance(gram.cosines, sizes ** (beta - 1), beta)
        return gram.weights(units * top ** ((beta - 1) / (beta + 1)), G.dtype)

    def check(self) -> None:
        """Raise ValueError unless fairness > 0."""
        within(self, "fairness", 0.0, strict=True)
