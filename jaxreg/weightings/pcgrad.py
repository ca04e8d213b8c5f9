"""Gradient surgery: conflicting components are projected away, one after another."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxreg._linalg import matmul
from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike
from jaxreg.weightings._base import Weighting
from jaxreg.weightings._gram import split, square
from jaxreg.weightings._order import orders


@pytree
class PCGrad(Weighting):
    """The sum of the gradients, each freed in turn of its components against the others (Yu et al. 2020, algorithm 1).

    For every i and every other j in random order: gᵢ -= min(gᵢ·gⱼ, 0) gⱼ/‖gⱼ‖². Without a key the order is that of the
    tasks. The result may still conflict when there are more than two tasks.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.weightings.PCGrad()(jnp.array([[1.0, -0.5], [-0.5, 1.0]])).round(4).tolist()
    [1.5, 1.5]
    """

    random = True

    def __call__(self, gramian: ArrayLike, losses: ArrayLike | None = None, key: Array | None = None) -> Array:
        """The weights, at least 1."""
        G = square(gramian)
        gram = split(G)

        def cleared(start: Array, order: Array) -> Array:
            def project(k: Array, units: Array) -> Array:
                j = order[k]
                conflict = jnp.minimum(matmul(units, gram.cosines[j]), 0.0)
                return units.at[j].add(jnp.where(start[j] > 0, 0.0, -conflict))

            return jax.lax.fori_loop(0, len(G), project, start)

        sizes = jnp.where(gram.present, gram.norms, 0.0)
        units = jax.vmap(cleared)(jnp.diag(sizes), orders(key, len(G)))
        return gram.weights(jnp.sum(units, 0), G.dtype)
