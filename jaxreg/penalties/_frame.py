"""Orthogonal arguments: g.compose(A) is the penalty of A x for a matrix with A Aᵀ = c I."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg._linalg import matmul
from jaxreg._pytree import pytree, show
from jaxreg._typing import Array
from jaxreg.penalties._base import Leafwise
from jaxreg.penalties._forgive import forgiven
from jaxreg.penalties._leaf import prox_leaf, wide
from jaxreg.penalties._scaled import Scaled
from jaxreg.penalties._sum import each
from jaxreg.penalties._wrapped import inherited, parts_of

_ROUNDING = 1e3


@pytree
class Frame(Leafwise):
    """g(A x) along the last axis, for a matrix A of shape (m, n) with A Aᵀ = c I: an orthogonal basis, a tight frame.

    The prox is x + Aᵀ(prox_{step c g}(A x) - A x)/c (Beck 2017, Theorem 6.15).
    """

    penalty: Any
    matrix: Any

    def __repr__(self) -> str:
        inner = f"({self.penalty!r})" if isinstance(self.penalty, Scaled) else repr(self.penalty)
        return f"{inner}.compose({show(self.matrix)})"

    convex, homogeneous, indicator = inherited("convex", "homogeneous", "indicator")
    smooth, bounded, centred, iterative = inherited("smooth", "bounded", "centred", "iterative")
    gauge = property(lambda self: self.penalty.gauge and _is_square(self.matrix))
    seminorm = property(lambda self: self.penalty.gauge and self.penalty.homogeneous and not _is_square(self.matrix))
    dualisable = property(lambda self: self.penalty.dualisable and _is_square(self.matrix))

    def check(self) -> None:
        """Raise ValueError unless A Aᵀ is a multiple of the identity, to rounding."""
        if not isinstance(self.matrix, jax.core.Tracer):
            A = np.asarray(self.matrix)
            eps = np.finfo(A.dtype if A.dtype.kind == "f" else float).eps
            gram = A.astype(float) @ A.T
            off = np.abs(gram - np.eye(len(A)) * gram[0, 0]).max()
            if not (gram[0, 0] > 0 and off <= _ROUNDING * eps * gram[0, 0]):
                raise ValueError(f".compose(matrix) needs A Aᵀ = c I with c > 0, but A Aᵀ is off by {off:.1e}.")
        self.penalty.check()

    def parts(self, names: Sequence[str], named: bool = False) -> tuple[Leafwise | None, ...]:
        """Every part of g, composed."""
        inner = parts_of(self.penalty, names, named)
        return tuple(None if p is None else each(p, lambda g: Frame(g, self.matrix)) for p in inner)

    def leaf_terms(self, x: Array) -> Array:
        """Terms of g at A x summed along the last axis, kept: a single one would pass for an entry's."""
        y = self._forward(wide(x))
        if self.indicator:
            terms = forgiven(self.penalty, y, matmul(jnp.abs(wide(x)), jnp.abs(self._matrix(y)).T), x)
        else:
            terms = self.penalty.leaf_terms(y)
        return jnp.sum(terms, axis=-1, keepdims=True) if terms.ndim else terms

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """x moved by what the prox of g moves A x."""
        y, c = self._forward(x), self._constant(x)
        step = c * jnp.asarray(step, x.dtype)
        moved = prox_leaf(self.penalty, y, step.reshape(()) if step.size == 1 else step)
        A = self._matrix(x)
        made = matmul(moved, A) / c if _is_square(self.matrix) else x + matmul(moved - y, A) / c  # zeros stay exact
        still = jnp.all(moved == y, axis=-1, keepdims=True)
        return made + jax.lax.stop_gradient(jnp.where(still, x - made, 0.0))

    def leaf_dual_terms(self, u: Array) -> Array:
        """Dual terms of g at A u / c, the largest along the last axis."""
        terms = self.penalty.leaf_dual_terms(self._forward(u) / self._constant(u))
        return jnp.max(terms, axis=-1, keepdims=True, initial=0)

    def leaf_span(self, u: Array) -> Array:
        """Aᵀ of the span of g at A u / c: the range of Aᵀ, or less."""
        turned = self._forward(u) / self._constant(u)
        spanned = self.penalty.leaf_span(turned)
        whole = spanned is turned and _is_square(self.matrix)
        return u if whole else matmul(spanned, self._matrix(u))

    def leaf_conjugate(self, u: Array) -> Array:
        """g*(A u / c) for a square A."""
        return self.penalty.leaf_conjugate(self._forward(u) / self._constant(u))

    def leaf_floor(self) -> Any:
        """The smallest strength of g."""
        return self.penalty.leaf_floor()

    def _matrix(self, x: Array) -> Array:
        return jnp.asarray(self.matrix, x.dtype)

    def _forward(self, x: Array) -> Array:
        if np.ndim(self.matrix) != 2 or x.ndim == 0 or x.shape[-1] != np.shape(self.matrix)[1]:
            raise ValueError(
                f".compose(matrix) needs a matrix (m, n) for arrays (..., n); the matrix has shape "
                f"{np.shape(self.matrix)}, the array {x.shape}."
            )
        return matmul(x, self._matrix(x).T)

    def _constant(self, x: Array) -> Array:
        return jnp.sum(jnp.square(self._matrix(x))) / np.shape(self.matrix)[0]


def _is_square(matrix: Any) -> bool:
    rows, columns = np.shape(matrix)
    return rows == columns
