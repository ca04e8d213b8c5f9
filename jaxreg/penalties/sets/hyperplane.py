"""Hyperplanes and half-spaces: one linear equation or inequality per group."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg._pytree import pytree, static
from jaxreg._typing import Array, ArrayLike
from jaxreg.penalties._base import Leafwise
from jaxreg.penalties._leaf import wide
from jaxreg.penalties.sets._groups import Axis, per_group, ratios, size, total
from jaxreg.penalties.sets._rounding import judged, least, settle, slack


@pytree
class Hyperplane(Leafwise):
    """The set <normal, x> = offset for every group along an axis (`None`: the whole array).

    The normal broadcasts to the array, the offset over the groups. The projection x - step·normal (<normal, x> -
    offset)/Σ step·normal² (Beck 2017, Lemma 6.26) is exact in a diagonal metric too. The equation counts as met up to
    (17 + √n) roundings of Σ|normal·x| + |offset|, n being the number of entries.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.Hyperplane(jnp.array([1.0, 1.0]), 1.0).prox(jnp.array([2.0, 1.0])).tolist()
    [1.0, 0.0]
    """

    normal: ArrayLike
    offset: ArrayLike = 0.0
    axis: Axis = static(default=None)
    indicator = metric = bounded = True
    centred = False

    def check(self) -> None:
        """Raise ValueError for a normal of zeros."""
        check_normal("Hyperplane", self.normal)

    def leaf_terms(self, x: Array) -> Array:
        """0 for groups on the plane, else infinity."""
        return judged(self._inside(x), x, self.axis)

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Projection of every group."""
        moved = onto_plane(x, *_plane(self, x), ratios(step, x, self.axis), self.axis)
        return settle(x, moved, self._inside(x))

    def _inside(self, x: Array) -> Array:
        excess, rounding = _excess(self, x)
        return jnp.abs(excess) <= rounding


@pytree
class Halfspace(Leafwise):
    """The set <normal, x> <= offset for every group along an axis (`None`: the whole array).

    As `Hyperplane`, but points below the plane stay (Beck 2017, Lemma 6.26).

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.Halfspace(jnp.array([1.0, 1.0]), 1.0).prox(jnp.array([2.0, 1.0])).tolist()
    [1.0, 0.0]
    """

    normal: ArrayLike
    offset: ArrayLike = 0.0
    axis: Axis = static(default=None)
    indicator = metric = bounded = True
    centred = False

    def check(self) -> None:
        """Raise ValueError for a normal of zeros."""
        check_normal("Halfspace", self.normal)

    def leaf_terms(self, x: Array) -> Array:
        """0 for groups in the half-space, else infinity."""
        return judged(self._inside(x), x, self.axis)

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Projection of every group."""
        moved = onto_plane(x, *_plane(self, x), ratios(step, x, self.axis), self.axis)
        return jnp.where(self._inside(x), x, moved)

    def _inside(self, x: Array) -> Array:
        excess, rounding = _excess(self, x)
        return excess <= rounding


def check_normal(owner: str, normal: Any) -> None:
    """Raise ValueError for a concrete normal that is zero or not finite."""
    if isinstance(normal, jax.core.Tracer):
        return
    a = np.asarray(normal, float)
    if not (np.any(a) and np.all(np.isfinite(a))):
        raise ValueError(f"{owner}: the normal must be finite and not zero.")


def onto_plane(x: Array, normal: Array, offset: Array, step: Array, axis: Axis) -> Array:
    """Projection on the plane; twice, because the first leaves the rounding of x, the second that of the result."""
    square = total(step * jnp.square(normal), axis)
    for _ in range(2):
        excess = total(normal * x, axis) - offset
        x = x - step * normal * (excess / jnp.where(square == 0, 1.0, square))
    return x


def _plane(plane: Hyperplane | Halfspace, x: Array) -> tuple[Array, Array]:
    """Normal and offset in the units of the normal's largest entry."""
    a = jnp.broadcast_to(jnp.asarray(plane.normal, x.dtype), x.shape)
    top = jax.lax.stop_gradient(jnp.max(jnp.abs(a), axis=plane.axis, keepdims=True, initial=0))
    unit = jnp.where(top == 0, 1.0, top)
    return a / unit, per_group(plane.offset, top) / unit


def _excess(plane: Hyperplane | Halfspace, x: Array) -> tuple[Array, Array]:
    """<normal, x> - offset and what of it rounding explains."""
    a, b = _plane(plane, wide(x))
    count, products = size(x, plane.axis), a * wide(x)
    magnitude = total(jnp.abs(products), plane.axis) + jnp.abs(b)
    rounding = slack(x, count) * magnitude + least(x, count)
    return total(products, plane.axis) - b, jnp.where(jnp.isfinite(rounding), rounding, 0.0)
