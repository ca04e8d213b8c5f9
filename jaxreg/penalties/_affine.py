"""Affine arguments: g.affine(scale, offset) is the penalty of scale * x + offset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg._pytree import pytree, show
from jaxreg._typing import Array
from jaxreg.penalties._base import Leafwise
from jaxreg.penalties._forgive import forgiven
from jaxreg.penalties._leaf import prox_leaf, wide
from jaxreg.penalties._scaled import Scaled
from jaxreg.penalties._sum import each
from jaxreg.penalties._wrapped import inherited, parts_of


@pytree
class Stretch(Leafwise):
    """g(scale * x), the scale a number or an array that broadcasts to x; where it is 0, x is left alone.

    The prox is prox_{step scale² g}(scale * x)/scale (Beck 2017, Theorem 6.11), in a diagonal metric for an array.
    """

    penalty: Any
    scale: Any

    def __repr__(self) -> str:
        inner = f"({self.penalty!r})" if isinstance(self.penalty, Scaled) else repr(self.penalty)
        return f"{inner}.affine({show(self.scale)})"

    convex, homogeneous, gauge, elementwise = inherited("convex", "homogeneous", "gauge", "elementwise")
    indicator, quadratic, metric, dualisable = inherited("indicator", "quadratic", "metric", "dualisable")
    smooth, bounded, centred, iterative = inherited("smooth", "bounded", "centred", "iterative")
    radial = property(lambda self: self.penalty.radial and np.ndim(self.scale) == 0)
    seminorm = property(lambda self: self.penalty.seminorm and np.ndim(self.scale) == 0)
    uniform = property(lambda self: self.penalty.uniform and np.ndim(self.scale) == 0)
    comonotone = property(lambda self: self.penalty.comonotone and np.ndim(self.scale) == 0)

    def check(self) -> None:
        """Raise ValueError for a scale that is 0 or not finite."""
        concrete = not isinstance(self.scale, jax.core.Tracer)
        if concrete and not (np.all(np.isfinite(self.scale)) and np.all(np.asarray(self.scale) != 0)):
            raise ValueError(f"scale is {show(self.scale)}, expected finite numbers other than 0.")
        self.penalty.check()

    def parts(self, names: Sequence[str], named: bool = False) -> tuple[Leafwise | None, ...]:
        """Every part of g, stretched."""
        inner = parts_of(self.penalty, names, named)
        return tuple(None if p is None else each(p, lambda g: Stretch(g, self.scale)) for p in inner)

    def leaf_terms(self, x: Array) -> Array:
        """Terms of g at scale * x."""
        y = self._scale(wide(x)) * wide(x)
        return forgiven(self.penalty, y, jnp.abs(y), x) if self.indicator else self.penalty.leaf_terms(y)

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """The prox of g at scale * x, brought back."""
        scale = self._scale(x)
        inner = jnp.asarray(step, x.dtype) * jnp.square(scale)
        moved = prox_leaf(self.penalty, scale * x, inner) / jnp.where(scale == 0, 1.0, scale)
        made = jnp.where(scale == 0, x, moved)
        still = (inner == 0) & ~jnp.asarray(self.indicator)
        return made + jax.lax.stop_gradient(jnp.where(still, x - made, 0.0))

    def leaf_dual_terms(self, u: Array) -> Array:
        """Dual terms of g at u / scale."""
        return self.penalty.leaf_dual_terms(self._over(u))

    def leaf_span(self, u: Array) -> Array:
        """That of g, which only a single scale leaves as it is."""
        return self.penalty.leaf_span(u)

    def leaf_conjugate(self, u: Array) -> Array:
        """g*(u / scale)."""
        return self.penalty.leaf_conjugate(self._over(u))

    def leaf_quadratic(self, x: Array) -> tuple[Array, Array]:
        """The curvature times scale², the centre over scale."""
        c, b = self.penalty.leaf_quadratic(x)
        scale = self._scale(x)
        return c * jnp.square(scale), jnp.where(scale == 0, 0.0, b / jnp.where(scale == 0, 1.0, scale))

    def leaf_floor(self) -> Any:
        """The smallest strength of g."""
        return self.penalty.leaf_floor()

    def _scale(self, x: Array) -> Array:
        scale = jnp.asarray(self.scale, x.dtype)
        return jnp.broadcast_to(scale, x.shape) if scale.ndim else scale

    def _over(self, u: Array) -> Array:
        scale = self._scale(u)
        beyond = jnp.where(u == 0, 0.0, jnp.inf * jnp.sign(jnp.where(u == 0, 1.0, u)))
        return jnp.where(scale == 0, beyond, u / jnp.where(scale == 0, 1.0, scale))
