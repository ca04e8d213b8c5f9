"""Penalties of a linear map: penalty.of(K) is x -> g(Kx)."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg._linalg import matmul
from jaxreg._pytree import pytree, static
from jaxreg._typing import Array
from jaxreg.penalties._base import Leafwise
from jaxreg.penalties._wrapped import inherited


@pytree
class Composed(Leafwise):
    """g(Kx) on one array, with K linear: the generalised lasso (Tibshirani and Taylor 2011), trends, graphs.

    `operator` is a matrix (m, p), applied along `axis` of the array, or any linear function of it. No prox is known:
    `ADMM()` and `PDHG()` solve with it. A strength, a shift or a placement may stand inside or outside. Raises
    TypeError for a prox, ValueError for a matrix that does not fit.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.Composed(jr.L1(), jnp.diff).value(jnp.array([1.0, 1.0, 3.0])).item()
    2.0
    >>> trend = jnp.array([[1.0, -2.0, 1.0]])
    >>> (0.5 * jr.L1().of(trend)).value(jnp.array([0.0, 1.0, 0.0])).item()
    1.0
    """

    penalty: Any
    operator: Any
    axis: int = static(default=0)
    composed = True
    convex, smooth, bounded, indicator, centred = inherited("convex", "smooth", "bounded", "indicator", "centred")

    def __post_init__(self) -> None:
        """A bare function becomes part of the structure; linear functions with leaves are pytrees already."""
        if callable(self.operator) and jax.tree.leaves(self.operator) == [self.operator]:
            object.__setattr__(self, "operator", jax.tree_util.Partial(self.operator))

    def check(self) -> None:
        """Raise ValueError for a matrix with entries that are not finite."""
        leaves = jax.tree.leaves(self.operator)
        if not all(isinstance(x, jax.core.Tracer) or np.all(np.isfinite(x)) for x in leaves):
            raise ValueError(f"the operator of {type(self).__name__} must be finite.")
        self.penalty.check()

    def leaf_through(self, x: Array) -> tuple[Array, Leafwise]:
        """K x, and the penalty of it."""
        return self.penalty.leaf_through(self._apply(x))

    def leaf_terms(self, x: Array) -> Array:
        """Terms of g at K x."""
        return self.penalty.leaf_terms(self._apply(x))

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """No prox is known. Raises TypeError."""
        raise TypeError(f"{self!r} has no exact prox: solve with ADMM() or PDHG(), or leave solver='auto'.")

    def leaf_floor(self) -> Any:
        """The smallest strength of g."""
        return self.penalty.leaf_floor()

    def _apply(self, x: Array) -> Array:
        if callable(self.operator):
            return jnp.asarray(self.operator(x))
        K = jnp.asarray(self.operator, x.dtype)
        if K.ndim != 2 or x.ndim <= self.axis or x.shape[self.axis] != K.shape[1]:
            raise ValueError(f"an operator of shape {K.shape} does not apply to axis {self.axis} of shape {x.shape}.")
        return jnp.moveaxis(matmul(jnp.moveaxis(x, self.axis, -1), K.T), -1, self.axis)
