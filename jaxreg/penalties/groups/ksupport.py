"""The k-support norm: the lasso's rival that keeps k entries together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxreg._pytree import pytree, static
from jaxreg._typing import Array
from jaxreg.penalties._base import Leafwise
from jaxreg.penalties.sets._rounding import nothing


@pytree
class KSupport(Leafwise):
    """Half the squared k-support norm of the whole array, ½(‖x‖ₖˢᵖ)² (Argyriou, Foygel and Srebro 2012).

    The norm's unit ball is the convex hull of vectors with at most k nonzeros and Euclidean norm 1: k = 1 gives ½‖x‖₁²,
    k >= p the ridge. The value is ½ min Σ xᵢ²/ηᵢ over 0 <= η <= 1, Ση <= k; the prox is x η/(η + step) with
    η = clip((1 + step)|x|/c - step, 0, 1), c the number that makes Ση = k (McDonald, Pontil and Stamos 2014).
    Which entries have η = 1 and η = 0 is found by bisection over the sorted entries: exactly. Raises ValueError for a k
    that is no integer >= 1.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.KSupport(2).prox(jnp.array([8.0, -2.0, 1.0]), 1.0).tolist()
    [4.0, -1.0, 0.0]
    """

    k: int = static()
    even = dualisable = polar = True

    def __post_init__(self) -> None:
        if not isinstance(self.k, int) or isinstance(self.k, bool) or self.k < 1:
            raise ValueError(f"KSupport: k is {self.k!r}, expected an integer >= 1.")

    def leaf_terms(self, x: Array) -> Array:
        """½(Σ x² over the entries with η = 1 + (Σ|x| over the others)²/(k - their number)), one term."""
        if not x.size:
            return jnp.zeros((), x.dtype)
        size = x * jnp.sign(x)
        full, _ = split(size, jnp.zeros((), x.dtype), self.k)
        left = jnp.where(full, 0.0, size)
        places = jnp.maximum(self.k - jnp.sum(full), 1).astype(x.dtype)
        return 0.5 * (jnp.sum(jnp.where(full, jnp.square(x), 0.0)) + jnp.square(jnp.sum(left)) / places)

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Shrinkage by 1 + step of the large entries, thresholding of the others; an infinite step gives 0."""
        if not x.size:
            return x
        ends = jnp.isinf(step)
        t, size = jnp.where(ends, 0.0, step).astype(x.dtype), x * jnp.sign(x)
        full, active = split(size, t, self.k)
        between = active & ~full
        top = jax.lax.stop_gradient(jnp.max(jnp.where(between, size, 0.0)))
        count, places = jnp.sum(between), self.k - jnp.sum(full)
        below = jnp.where(between, size - top, 0.0)
        mass = places + t * count
        over = (jnp.sum(jnp.where(between, size, 0.0) + t * below) - top * places) / jnp.where(count > 0, mass, 1.0)
        left = jnp.sign(x) * jnp.maximum(size + t * (below - over), 0.0)  # c is top + over, apart to keep digits
        moved = jnp.where(full, x, jnp.where(between, left, nothing(x))) / (1.0 + t)
        return jnp.where(ends, nothing(x), moved)

    def leaf_dual_terms(self, u: Array) -> Array:
        """The Euclidean norm of the k largest |u|, one term."""
        size = _falling(jnp.abs(u).reshape(-1))[: self.k]
        top = jnp.max(size, initial=0)
        safe = jnp.where(top > 0, top, 1.0)
        return safe * jnp.sqrt(jnp.sum(jnp.square(size / safe)))

    def leaf_conjugate_terms(self, u: Array) -> Array:
        """½ the sum of the k largest u², one term."""
        return 0.5 * jnp.sum(jnp.square(_falling(jnp.abs(u).reshape(-1))[: self.k]))


def split(size: Array, step: Array, k: Array | int) -> tuple[Array, Array]:
    """Where η = 1, and where η > 0.

    Ση falls in c. An entry a has η = 1 if at c = a it is at most k, and η > 0 if at c = a(1 + step)/step it is below k.
    """
    size, step = jax.lax.stop_gradient((size, step))
    order = _falling(size.reshape(-1))
    some = jnp.sum(order > 0)

    def reach(a: Array, numbers: Array) -> Array:
        inside = jnp.sum(jnp.clip(numbers, 0.0, a)) / jnp.where(a > 0, a, 1.0)
        return jnp.where(a > 0, inside, some)

    def last(holds: Callable[[Array], Array]) -> Array:
        """The least entry for which it holds, infinity if for none."""

        def probe(_: int, bounds: tuple[Array, Array]) -> tuple[Array, Array]:
            low, high = bounds
            middle = (low + high) // 2
            good = holds(order[jnp.minimum(middle, order.size - 1)]) & (low < high)
            return jnp.where(good, middle + 1, low), jnp.where(good, high, middle)

        start = (jnp.zeros((), jnp.int32), jnp.full((), order.size, jnp.int32))
        count = jax.lax.fori_loop(0, order.size.bit_length(), probe, start)[0]
        return jnp.where(count > 0, order[jnp.maximum(count - 1, 0)], jnp.inf)

    full = last(lambda a: reach(a, order + step * (order - a)) <= k)
    active = last(lambda a: reach(a, step * (order - a)) < k)
    return size >= full, size >= active


def _falling(size: Array) -> Array:
    return -jnp.sort(-size)
