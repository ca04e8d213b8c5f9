"""Two random passes held together."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike, Data, PyTree
from jaxreg.risk import weighted
from jaxreg.stochastic._base import Pass, Stochastic, check_number, sample, score


@pytree
class RDrop(Stochastic):
    """A stochastic risk of two passes and their divergence; made by `r_drop`."""

    risk: Any
    strength: ArrayLike

    def __call__(
        self, params: PyTree, data: Data, weights: ArrayLike | None = None, *, key: Array | None = None
    ) -> Array:
        """The mean risk of the passes plus strength times their divergence."""
        if key is None:
            return self.risk(params, data, weights)
        a, b = (sample(self.risk, params, data, weights, k) for k in jax.random.split(key))
        mean = 0.5 * (score(self.base, a) + score(self.base, b))
        return mean + self.strength * self._divergence(a, b)

    def sample(self, params: PyTree, data: Data, weights: Any, key: Array | None) -> Pass:
        """One pass of the risk inside."""
        return sample(self.risk, params, data, weights, key)

    def _divergence(self, a: Pass, b: Pass) -> Array:
        """½<z_a - z_b, ∇ℓ(z_a) - ∇ℓ(z_b)>, the mean of KL(a, b) and KL(b, a) where z is a natural parameter."""

        def risk(predictions: Array) -> Array:
            return weighted(a.rows, self.base.losses(predictions, a.data, a.rows))

        pull = jax.grad(risk)(a.predictions) - jax.grad(risk)(b.predictions)
        gap = jnp.where(pull == 0, 0.0, a.predictions - b.predictions)
        return 0.5 * jnp.sum(gap * pull)


def r_drop(risk: Stochastic, strength: ArrayLike) -> RDrop:
    """The mean risk of two passes plus strength times their symmetric divergence ½(KL(a, b) + KL(b, a)).

    R-Drop (Liang et al. 2021), half of theirs with strength alpha/2 so that it is a risk at strength 0. The divergence
    ½<z_a - z_b, ∇ℓ(z_a) - ∇ℓ(z_b)>, averaged over rows, is that of the predicted distributions for `Softmax`,
    `Logistic`, `Poisson` and `Squared` (½(z_a - z_b)²), and a Bregman divergence for any convex loss; without a key it
    is 0. Raises TypeError for a risk without randomness, or with `mixup` inside: mix outside of it.

    >>> import jax, jax.numpy as jnp, jaxreg as jr
    >>> inner = jr.stochastic.dropout(jr.risk(jr.linear, jr.Squared()), 0.5)
    >>> risk = jr.stochastic.r_drop(inner, 1.0)
    >>> float(risk(jnp.zeros(2), (jnp.eye(2), jnp.ones(2)), key=jax.random.key(0)))
    0.5
    """
    if not isinstance(risk, Stochastic):
        raise TypeError(f"r_drop: risk is {type(risk).__name__}, expected a stochastic risk such as dropout(...).")
    if risk.mixes:
        raise TypeError("r_drop compares two passes over the same rows: write mixup(r_drop(...)).")
    check_number("r_drop", "strength", strength, 0.0, np.inf)
    return RDrop(risk, strength)
