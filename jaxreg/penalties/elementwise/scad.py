"""Smoothly clipped absolute deviation: a lasso for small entries, none for large."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike
from jaxreg.penalties._base import Leafwise
from jaxreg.penalties._scaled import weigh
from jaxreg.penalties.elementwise._entry import of_size, require, shrunk, within


@pytree
class SCAD(Leafwise):
    """Smoothly clipped absolute deviation (Fan and Li 2001): slope λ up to |x| = λ, falling to 0 at γλ; not convex.

    Σ λ|xⱼ| up to λ, (2γλ|xⱼ| - xⱼ² - λ²)/(2(γ - 1)) up to γλ, and λ²(γ + 1)/2 beyond. It has its own `strength` λ,
    because λ bends the curve where an outer strength only scales it; γ > 2, and γ = inf gives λ L1. The prox is the
    global minimiser for every step: from step = γ - 1 on, where the objective has two minima, it jumps from soft
    thresholding to the identity. Exact also for an array of steps; both parameters are numbers or arrays that
    broadcast.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.SCAD(1.0, gamma=3.0).prox(jnp.array([5.0, 2.5, 1.5]), 1.0).tolist()
    [5.0, 2.0, 0.5]
    """

    strength: ArrayLike = 1.0
    gamma: ArrayLike = 3.7
    convex = False
    elementwise = even = metric = True

    def check(self) -> None:
        """Raise ValueError unless strength >= 0 and gamma > 2."""
        require("SCAD", "strength", self.strength, lambda v: v >= 0, ">= 0")
        require("SCAD", "gamma", self.gamma, lambda v: v > 2, "> 2")

    def leaf_terms(self, x: Array) -> Array:
        """The penalty of every entry, with derivative 0 at 0."""
        return of_size(_terms, x, self.strength, self.gamma)

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Soft thresholding, its way back to the identity, and the identity; an infinite step gives 0."""
        return shrunk(_threshold, x, step, self.strength, self.gamma)

    def leaf_floor(self) -> Any:
        """The smallest strength."""
        return within(jnp.min(jnp.asarray(self.strength)), jnp.asarray(self.gamma) > 2)


def _terms(size: Array, strength: Array, gamma: Array) -> Array:
    near = jnp.minimum(size, weigh(strength, gamma, size.shape))
    over = jnp.maximum(near - strength, 0.0)
    return weigh(strength, near, size.shape) - over * (0.5 * over / (gamma - 1))


def _threshold(size: Array, step: Array, strength: Array, gamma: Array) -> Array:
    """With two minima, x beats soft thresholding beyond λ(γ + 1 + step)/2, or λ√(step (γ + 1)) where that gives 0."""
    bent = step < gamma - 1
    short = jnp.where(bent, step, 0.0)
    rest = jnp.where(bent, 1.0, step)
    jump = jnp.where(rest <= gamma + 1, 0.5 * (gamma + 1 + rest), jnp.sqrt(gamma + 1) * jnp.sqrt(rest))
    soft = weigh(strength, step, size.shape)
    far = jnp.where(bent, size >= weigh(strength, gamma, size.shape), size > weigh(strength, jump, size.shape))
    middle = bent & ~far & (size > strength + soft)
    fall = 1 / (gamma - 1)
    pull = jnp.where(middle, weigh(strength, short, size.shape), 0.0)
    returning = (size - pull * (1 + fall)) / (1 - short * fall)
    dropped = ~far & (size <= soft)
    near = jnp.where(dropped, 0.0, size - jnp.where(dropped | far, 0.0, soft))
    return jnp.where(far, size, jnp.where(middle, returning, near))
