"""Coupling along the task axis: shrink every task towards the tasks' mean."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from jaxreg._pytree import pytree, static
from jaxreg._typing import Array
from jaxreg.penalties.coupling._quadratic import Coupling


@pytree
class ToMean(Coupling):
    """Half the squared distance of each task to the tasks' mean, ½ Σₜ ‖xₜ - x̄‖² (Evgeniou and Pontil 2004).

    The prox keeps the mean and shrinks the deviations by 1 + step; an infinite strength gives all tasks one vector.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.ToMean(axis=0).prox(jnp.array([[0.0], [4.0]]), 1.0).tolist()
    [[1.0], [3.0]]
    """

    axis: int = static(default=0)

    def leaf_terms(self, x: Array) -> Array:
        """½ of the squared deviations summed over tasks, the axis kept."""
        return 0.5 * jnp.sum(jnp.square(x - jnp.mean(x, self.axis, keepdims=True)), self.axis, keepdims=True)

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """x̄ + (x - x̄)/(1 + step), written so that a step of 0 moves nothing and an infinite one leaves x̄ exactly."""
        mean, step = jnp.mean(x, self.axis, keepdims=True), jnp.asarray(step, x.dtype)
        return jnp.where(jnp.isinf(step), mean, x - (x - mean) * (1.0 - 1.0 / (1.0 + step)))

    def leaf_inverse(self, u: Array) -> Array:
        """½ Σₜ ‖uₜ‖²."""
        return 0.5 * jnp.sum(jnp.square(u), self.axis, keepdims=True)
