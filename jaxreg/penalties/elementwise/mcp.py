"""The minimax concave penalty: a lasso that lets large entries go."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike
from jaxreg.penalties._base import Leafwise
from jaxreg.penalties._scaled import weigh
from jaxreg.penalties.elementwise._entry import of_size, require, shrunk, within


@pytree
class MCP(Leafwise):
    """Minimax concave penalty, Σ λ|xⱼ| - xⱼ²/(2γ) up to |x| = γλ and γλ²/2 beyond (Zhang 2010); not convex.

    It has its own `strength` λ, because λ bends the curve where an outer strength only scales it; γ > 1, and γ = inf
    gives λ L1. The prox is firm thresholding for step < γ, where it is the only minimiser, and hard thresholding at
    λ√(γ step) from there on: the global minimiser for every step, exact also for an array of steps. Both parameters
    are numbers or arrays that broadcast.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.MCP(1.0, gamma=2.0).prox(jnp.array([5.0, 1.5, 0.5]), 1.0).tolist()
    [5.0, 1.0, 0.0]
    """

    strength: ArrayLike = 1.0
    gamma: ArrayLike = 3.0
    convex = False
    elementwise = even = metric = True

    def check(self) -> None:
        """Raise ValueError unless strength >= 0 and gamma > 1."""
        require("MCP", "strength", self.strength, lambda v: v >= 0, ">= 0")
        require("MCP", "gamma", self.gamma, lambda v: v > 1, "> 1")

    def leaf_terms(self, x: Array) -> Array:
        """The penalty of every entry, with derivative 0 at 0."""
        return of_size(_terms, x, self.strength, self.gamma)

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Firm or hard thresholding; an infinite step gives 0."""
        return shrunk(_threshold, x, step, self.strength, self.gamma)

    def leaf_floor(self) -> Any:
        """The smallest strength."""
        return within(jnp.min(jnp.asarray(self.strength)), jnp.asarray(self.gamma) > 1)


def _terms(size: Array, strength: Array, gamma: Array) -> Array:
    near = jnp.minimum(size, weigh(strength, gamma, size.shape))
    return weigh(strength, near, size.shape) - near * (0.5 * near / gamma)


def _threshold(size: Array, step: Array, strength: Array, gamma: Array) -> Array:
    firm = step < gamma
    short = jnp.where(firm, step, 0.0)
    hard = jnp.sqrt(gamma) * jnp.sqrt(jnp.where(firm, 1.0, step))
    dropped = size <= weigh(strength, jnp.where(firm, step, hard), size.shape)
    bent = firm & ~dropped & (size < weigh(strength, gamma, size.shape))
    pulled = (size - jnp.where(bent, weigh(strength, short, size.shape), 0.0)) / (1 - short / gamma)
    return jnp.where(dropped, 0.0, jnp.where(bent, pulled, size))
