"""The squared sum of Euclidean norms: features that tasks select together, their weights learned."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from jaxreg._pytree import pytree, static
from jaxreg._typing import Array
from jaxreg.penalties._base import Leafwise
from jaxreg.penalties.groups._grouping import Along
from jaxreg.penalties.groups._norms import norm
from jaxreg.penalties.groups.exclusive import Exclusive


@pytree
class SquaredL2(Leafwise):
    """Half the squared sum of Euclidean norms along an axis, ½(Σ_g ‖x_g‖)².

    It is min over d >= 0, Σd = 1 of ½ Σ_g ‖x_g‖²/d_g: a metric of features that all tasks share, learned and diagonal
    (Argyriou, Evgeniou and Pontil 2008, section 3). The prox shrinks groups as that of ½‖·‖₁² shrinks their norms.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.SquaredL2(axis=0).prox(jnp.array([[4.0, 3.0], [0.0, 0.0]]), 0.5).tolist()
    [[2.25, 1.25], [0.0, 0.0]]
    """

    axis: int | tuple[int, ...] | None = static(default=0)
    even = dualisable = polar = True

    def leaf_terms(self, x: Array) -> Array:
        """½(Σ_g ‖x_g‖)², one term."""
        return 0.5 * jnp.square(jnp.sum(norm(x, Along(self.axis))))

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Groups scaled by what the prox of ½‖·‖₁² leaves of their norms."""
        size = norm(x, Along(self.axis))
        left = Exclusive().leaf_prox(size, step)
        return x * jnp.where(size > 0, left / jnp.where(size > 0, size, 1.0), size * 0.0)

    def leaf_dual_terms(self, u: Array) -> Array:
        """The largest norm, one term."""
        return jnp.max(norm(u, Along(self.axis)), initial=0)

    def leaf_conjugate_terms(self, u: Array) -> Array:
        """½ of its square, one term."""
        return 0.5 * jnp.square(self.leaf_dual_terms(u))
