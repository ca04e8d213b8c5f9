"""The Moreau envelope of a penalty: a smooth penalty with the same minimisers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg._pytree import pytree, show
from jaxreg._typing import Array
from jaxreg.penalties._base import Leafwise
from jaxreg.penalties._leaf import prox_leaf
from jaxreg.penalties._wrapped import inherited, parts_of


@pytree
class Envelope(Leafwise):
    """Moreau envelope min_z g(z) + ‖z - x‖²/(2 smoothing) of a convex g: smooth, with 1/smoothing its curvature.

    The prox is x + step/(step + smoothing) (prox_{(step + smoothing) g}(x) - x) (Beck 2017, Theorem 6.63). The
    envelope of absolute values is Huber's function. Raises TypeError for a g that is not convex.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> g = jr.Envelope(jr.L1(), 1.0)
    >>> float(g.value(jnp.array([3.0, 0.5]))), g.prox(jnp.array([3.0, 0.5]), 1.0).tolist()
    (2.625, [2.0, 0.25])
    """

    penalty: Any
    smoothing: Any = 1.0
    elementwise, radial, metric, centred = inherited("elementwise", "radial", "metric", "centred")
    (iterative,) = inherited("iterative")
    uniform = property(lambda self: self.penalty.uniform and np.ndim(self.smoothing) == 0)
    smooth = True

    def check(self) -> None:
        """Raise ValueError unless smoothing is positive and finite."""
        concrete = not isinstance(self.smoothing, jax.core.Tracer)
        if concrete and not (np.all(np.asarray(self.smoothing) > 0) and np.all(np.isfinite(self.smoothing))):
            raise ValueError(f"smoothing is {show(self.smoothing)}, expected finite numbers > 0.")
        self.penalty.check()

    def parts(self, names: Sequence[str], named: bool = False) -> tuple[Leafwise | None, ...]:
        """The envelope of every part of g."""
        if not self.penalty.convex:
            raise TypeError(f"{self!r}: the envelope's prox follows from a convex penalty only.")
        inner = parts_of(self.penalty, names, named)
        return tuple(None if p is None else Envelope(p, self.smoothing) for p in inner)

    def leaf_terms(self, x: Array) -> Array:
        """g(z) + ‖z - x‖²/(2 smoothing) at the prox z, one term an entry if g is elementwise."""
        m = jnp.asarray(self.smoothing, x.dtype)
        z = prox_leaf(self.penalty, x, m)
        near = jnp.square(z - x) / (2 * m)
        if self.elementwise:
            return near if self.penalty.indicator else near + self.penalty.leaf_terms(z)
        return jnp.sum(near) if self.penalty.indicator else jnp.sum(near) + self.penalty.leaf_value(z)

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """A part of the way to the prox of g."""
        step, m = jnp.asarray(step, x.dtype), jnp.asarray(self.smoothing, x.dtype)
        finite = jnp.where(jnp.isinf(step), 1.0, step)
        part = jnp.where(jnp.isinf(step), 1.0, finite / (finite + m))
        z = prox_leaf(self.penalty, x, step + m)
        return jnp.where(jnp.isinf(step), z, x + part * (z - x))

    def leaf_floor(self) -> Any:
        """The smallest strength of g."""
        return self.penalty.leaf_floor()
