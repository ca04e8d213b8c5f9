"""The convex conjugate of a penalty, as a penalty."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg._pytree import pytree
from jaxreg._typing import Array
from jaxreg.penalties._base import Leafwise
from jaxreg.penalties._leaf import prox_leaf
from jaxreg.penalties._wrapped import inherited, parts_of


@pytree
class Conjugate(Leafwise):
    """Convex conjugate g*(x) = sup_z <x, z> - g(z): of a set its support function, of a norm the dual unit ball.

    The prox is x - step prox_{g/step}(x/step) (Moreau 1965). Raises TypeError for a g that is not convex, and from
    `value` where g states no conjugate.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.Conjugate(jr.Box(-1.0, 1.0)).prox(jnp.array([3.0, -0.5]), 1.0).tolist()
    [2.0, 0.0]
    """

    penalty: Any
    elementwise, uniform, metric, centred = inherited("elementwise", "uniform", "metric", "centred")
    (iterative,) = inherited("iterative")
    homogeneous = property(lambda self: self.penalty.indicator)
    indicator = property(lambda self: self.penalty.homogeneous)
    bounded = property(lambda self: not (self.penalty.indicator and self.penalty.bounded))
    dualisable = property(lambda self: not (self.penalty.indicator or self.penalty.bounded))

    def check(self) -> None:
        """Check g."""
        self.penalty.check()

    def parts(self, names: Sequence[str], named: bool = False) -> tuple[Leafwise | None, ...]:
        """The conjugate of every part of g."""
        if not self.penalty.convex:
            raise TypeError(f"{self!r}: the conjugate's prox follows from a convex penalty only.")
        return tuple(None if p is None else Conjugate(p) for p in parts_of(self.penalty, names, named))

    def leaf_value(self, x: Array) -> Array:
        """g*(x)."""
        return self.penalty.leaf_conjugate(x)

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """What the prox of g leaves of x; a single step does not change the projection on a set."""
        if self.indicator and np.ndim(step) == 0:
            return self._projected(self._projected(x))
        wide = jnp.promote_types(x.dtype, jnp.float32)
        limits = jnp.finfo(wide)
        step = jnp.asarray(step, wide)
        t = jnp.clip(jnp.where(step == 0, limits.tiny**0.5, step), limits.tiny**0.5, limits.eps**-2.0)
        y = x.astype(wide) / t
        inner = prox_leaf(self.penalty, y, 1 / t)
        off = x.astype(wide) - step * jax.lax.stop_gradient(inner)  # x, with the right derivative in a step of 0
        moved = self.penalty.leaf_span(t * (y - inner))
        return jnp.where(step == 0, off, moved).astype(x.dtype)

    def _projected(self, x: Array) -> Array:
        """Once to about the rounding of x, twice to that of the set."""
        moved = self.penalty.leaf_span(x - prox_leaf(self.penalty, x, jnp.ones((), x.dtype)))
        return jnp.where(self.leaf_value(x) == 0, x, moved) if self.penalty.dualisable else moved

    def leaf_conjugate(self, u: Array) -> Array:
        """g(u)."""
        return self.penalty.leaf_value(u)
