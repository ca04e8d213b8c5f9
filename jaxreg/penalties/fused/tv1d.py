"""Absolute differences of neighbours: the fused lasso, total variation of signals."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxreg._pytree import pytree, static
from jaxreg._typing import Array
from jaxreg.penalties._base import Leafwise
from jaxreg.penalties.fused._chain import chain_prox


@pytree
class TV1D(Leafwise):
    """Total variation along an axis, Σ|xᵢ₊₁ - xᵢ| (Rudin, Osher and Fatemi 1992; Tibshirani et al. 2005).

    The prox is exact, in time n log n, also for a strength per difference (an array that broadcasts over the
    differences) or in a diagonal metric, not for both at once. `TV1D() + c * L1()` is the fused lasso: soft
    thresholding after it (Friedman et al. 2007, Proposition 1). An infinite strength gives the mean. Raises ValueError
    on numbers, which have no axis.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.TV1D().prox(jnp.array([0.0, 1.0, 5.0, 5.0]), 0.5).tolist()
    [0.5, 1.0, 4.75, 4.75]
    """

    axis: int = static(default=-1)
    homogeneous = seminorm = comonotone = metric = dualisable = True

    def leaf_terms(self, x: Array) -> Array:
        """|xᵢ₊₁ - xᵢ|, with derivative 0 at 0."""
        step = jnp.diff(_with_axis(self, x), axis=self.axis)
        return step * jnp.sign(step)

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """The levels of the pieces, row by row."""
        if _with_axis(self, x).shape[self.axis] < 2:
            return x
        rows = jnp.moveaxis(x, self.axis, -1)
        step = jnp.asarray(step, jnp.promote_types(x.dtype, jnp.float32))
        step = jnp.moveaxis(step, self.axis, -1) if step.ndim else step
        return jnp.moveaxis(prox_rows(rows, step), -1, self.axis)

    def leaf_dual_terms(self, u: Array) -> Array:
        """|u₁ + … + uᵢ|, the largest being the dual norm of a u that sums to 0; 0 where that is but rounding."""
        total, size = jnp.cumsum(u, self.axis), jnp.cumsum(jnp.abs(u), self.axis)
        kept = jnp.where(jnp.abs(total) <= 16 * jnp.finfo(u.dtype).eps * size, 0.0, jnp.abs(total))
        return jax.lax.slice_in_dim(kept, 0, -1, axis=self.axis)

    def leaf_span(self, u: Array) -> Array:
        """u less its mean: differences sum to 0."""
        return u - jnp.mean(u, self.axis, keepdims=True)


def _with_axis(g: TV1D, x: Array) -> Array:
    if not -x.ndim <= g.axis < x.ndim:
        raise ValueError(f"{g!r} acts along axis {g.axis}, but the array has shape {x.shape}: give another axis.")
    return x


_chains = jax.vmap(chain_prox)


def prox_rows(x: Array, step: Array) -> Array:
    """Prox of every row (last axis, n >= 2) with one step, one per difference or one per entry, at least float32."""
    wide = x.astype(step.dtype)
    edges = (*x.shape[:-1], x.shape[-1] - 1)
    if step.shape == x.shape:
        weight, strength = _metric(step)
        strength = jnp.broadcast_to(strength, edges)
    else:
        weight, strength = jnp.ones_like(wide), jnp.broadcast_to(step, edges)
    flat = (v.reshape(-1, v.shape[-1]) for v in (wide, weight, strength))
    moved = _chains(*flat).reshape(x.shape)
    fixed = (step == 0) if step.shape == x.shape else False
    return jnp.where(fixed, x, moved.astype(x.dtype))


def _metric(step: Array) -> tuple[Array, Array]:
    """Weights c/step and the strength c of each row, c its largest finite step; no step at all is a huge weight."""
    free = jnp.isinf(step)
    top = jax.lax.stop_gradient(jnp.max(jnp.where(free, 0.0, step), axis=-1, keepdims=True))
    scale = jnp.where(top == 0, 1.0, top)
    least = scale * jnp.square(jnp.finfo(step.dtype).eps)
    weight = jnp.where(free, 0.0, scale / jnp.maximum(jnp.where(free, 1.0, step), least))
    everywhere = jnp.all(free, axis=-1, keepdims=True)
    return jnp.where(everywhere, 1.0, weight), jnp.where(everywhere, jnp.inf, scale)
