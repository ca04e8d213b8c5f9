"""Euclidean norms of groups of entries along an axis: group lasso, multi-task lasso."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxreg._pytree import pytree, static
from jaxreg._typing import Array
from jaxreg.penalties._base import Leafwise

_ROOT_STEPS = 40


@pytree
class L2(Leafwise):
    """Sum of Euclidean norms along an axis, Σ_g ‖x_g‖ (Yuan and Lin 2006); `axis=None` takes the whole array.

    With parameters (tasks, features), `L2(axis=0)` selects features for all tasks together (the multi-task lasso).
    The prox is x max(1 - step/‖x‖, 0) per group; for steps that differ within a group (a diagonal metric) the
    norm of the result solves one monotone scalar equation, by safeguarded Newton steps.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.L2(axis=0).prox(jnp.array([[3.0, 0.1], [4.0, 0.1]]), 2.5).tolist()
    [[1.5, 0.0], [2.0, 0.0]]
    """

    axis: int | tuple[int, ...] | None = static(default=None)
    homogeneous = gauge = radial = metric = dualisable = True

    def leaf_terms(self, x: Array) -> Array:
        """Norms, with derivative 0 at 0."""
        return _norm(x, self.axis)

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Block soft thresholding, in a diagonal metric where `step` varies within groups."""
        step = jnp.asarray(step, x.dtype)
        groups = jax.eval_shape(self.leaf_terms, x).shape
        if step.ndim == 0 or step.shape == groups:
            return x * _shrinkage(_norm(x, self.axis), step)
        return _metric_prox(x, jnp.broadcast_to(step, x.shape), self.axis)

    def leaf_dual_terms(self, u: Array) -> Array:
        """Norms of the groups of u."""
        return _norm(u, self.axis)


def _norm(x: Array, axis: Any) -> Array:
    """Euclidean norm with the axis kept, scaled against overflow, with derivative 0 at 0."""
    top = jax.lax.stop_gradient(jnp.max(jnp.abs(x), axis=axis, keepdims=True, initial=0))
    usable = (top > 0) & jnp.isfinite(top)
    scale = jnp.where(usable, top, 1.0)
    square = jnp.sum(jnp.square(x / scale), axis=axis, keepdims=True)
    return jnp.where(usable, scale * jnp.sqrt(jnp.where(usable, square, 1.0)), jnp.abs(top))


def _shrinkage(norm: Array, step: Array) -> Array:
    """max(1 - step/norm, 0), with 0 for the zero group."""
    kept = norm > step
    return jnp.where(kept, 1.0 - jnp.where(kept, step, 0.0) / jnp.where(kept, norm, 1.0), norm * 0.0)


def _metric_prox(x: Array, step: Array, axis: Any) -> Array:
    """Minimise ‖z‖ + Σ (z - x)²/(2 step): z = x r/(r + step) where r = ‖z‖ makes ‖x/(r + step)‖ = 1.

    1/‖x/(r + step)‖ is increasing and concave in r, so that Newton's steps from the left rise to the root.
    """
    free = step == 0
    tau = jnp.where(free, 1.0, step)
    zero = _norm(jnp.where(free & (x != 0), jnp.inf, x / tau), axis) <= 1
    finite = jnp.where(jnp.isfinite(step), step, 0.0)
    moving = jnp.where(jnp.isfinite(step), x, 0.0)
    start = jnp.maximum(_norm(moving, axis) - jnp.max(finite, axis=axis, keepdims=True), 0.0)

    def newton(r: Array) -> Array:
        reach = r + finite
        ratio = jnp.where(moving == 0, 0.0, moving / jnp.where(reach > 0, reach, 1.0))
        n = _norm(ratio, axis)
        slope = jnp.sum(jnp.square(ratio) / jnp.where(reach > 0, reach, 1.0), axis=axis, keepdims=True)
        gain = (n - 1.0) * n * n / jnp.where(slope > 0, slope, 1.0)
        return jnp.where((slope > 0) & ~zero, jnp.maximum(r + gain, r), r)

    tiny = jnp.finfo(x.dtype).tiny
    root = jax.lax.fori_loop(0, _ROOT_STEPS, lambda _, r: newton(r), jax.lax.stop_gradient(start) + tiny)
    root = newton(jax.lax.stop_gradient(root))  # one differentiable step carries the implicit derivative
    keep = jnp.broadcast_to(root, x.shape) / (jnp.broadcast_to(root, x.shape) + jnp.where(zero, 1.0, finite))
    return jnp.where(zero | ~jnp.isfinite(step), 0.0 * x, x * jnp.where(zero, 0.0, keep))
