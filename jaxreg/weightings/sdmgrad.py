"""Direction-oriented multi-objective learning."""

from __future__ import annotations

import jax.numpy as jnp

from jaxreg._linalg import matmul
from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike
from jaxreg.weightings._base import Weighting, within
from jaxreg.weightings._gram import split, square
from jaxreg.weightings._qp import simplex


@pytree
class SDMGrad(Weighting):
    """The shortest of g_w + λ g₀ over the simplex, with g₀ the mean gradient, divided by 1 + λ.

    Direction-oriented learning (Xiao, Ban and Ji 2023): `pull` λ leads from `MGDA` (0) to the mean gradient (infinity).
    The program is solved exactly on one Gramian, where the paper takes stochastic steps on two independent batches.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.weightings.SDMGrad(pull=0.5)(jnp.diag(jnp.array([1.0, 3.0]))).round(4).tolist()
    [0.75, 0.25]
    """

    pull: ArrayLike = 0.3

    def __call__(self, gramian: ArrayLike, losses: ArrayLike | None = None, key: Array | None = None) -> Array:
        """The weights, on the simplex."""
        G = square(gramian)
        gram = split(G)
        pull = jnp.asarray(self.pull, gram.norms.dtype)
        mean = gram.mean * gram.norms
        top = jnp.max(jnp.where(gram.present, gram.norms, 0.0))
        top = jnp.where(top == 0, 1.0, top)
        across = jnp.where(gram.present, matmul(gram.cosines, mean / top), 0.0)
        units = top * simplex(gram.cosines, jnp.where(gram.present, top / gram.norms, 0.0), pull * across)
        return gram.weights((units + pull * mean) / (1 + pull), G.dtype)

    def check(self) -> None:
        """Raise ValueError unless pull >= 0."""
        within(self, "pull", 0.0)
