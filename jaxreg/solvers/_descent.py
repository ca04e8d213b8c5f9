"""Step sizes: where gradient steps begin, whether one kept its promise, how far a Newton direction descends."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxreg import _tree
from jaxreg._typing import Array, PyTree
from jaxreg.solvers._problem import Smooth

HALVINGS, DAMPING = 30, 1e-12
_EASE = 16.0


def first_step(f: Smooth, params: PyTree) -> Array:
    """1/L from the loss's curvature bound, else from a secant along the gradient."""
    curvature = f.curvature(params)
    if curvature is None:
        grad = jax.grad(f)(params)
        size = jnp.sqrt(_tree.norm2(grad))
        reach = 1e-2 * jnp.maximum(1.0, jnp.sqrt(_tree.norm2(params))) / jnp.where(size > 0, size, 1.0)
        there = jax.grad(f)(_tree.add_scale(params, -reach, grad))
        change = jnp.sqrt(_tree.norm2(_tree.sub(there, grad)))
        curvature = change / jnp.where(size > 0, reach * size, 1.0)
    usable = (curvature > 0) & jnp.isfinite(curvature)
    return jnp.where(usable, 1 / jnp.where(usable, 1.02 * curvature, 1.0), 1.0)


def growth(f: Smooth) -> float:
    """Where the curvature has no bound it may fall on the way: let steps recover slowly."""
    return 1.0 if f.is_bounded else 1.02


def upper_bound(
    f: Smooth, point: PyTree, at: tuple[Array, PyTree, Array], new: PyTree, step: Array
) -> tuple[Array, Array, Array]:
    """f(new), whether it is at most f + <∇f, d> + ‖d‖²/(2 step) for the move d, and what rounding may hide.

    `at` is `f.value_and_grad(point)`. Where the curvature is bounded the test is c Σ rows (A d)² <= ‖d‖²/step:
    objectives of near points would cancel, and near the optimum halve the step for ever.
    """
    base, grad, predictions = at
    moved = _tree.sub(new, point)
    square, eps = _tree.norm2(moved) / step, float(jnp.finfo(base.dtype).eps)
    if f.is_bounded:
        change = f.predictions(moved)
        smooth = f.value_at(predictions + change)
        return smooth, f.bend(change) <= (1 + 64 * eps) * square, 16 * eps * (jnp.abs(base) + jnp.abs(smooth))
    smooth = f(new)
    slack = 16 * eps * (jnp.abs(base) + jnp.abs(smooth))
    return smooth, smooth <= base + _tree.vdot(grad, moved) + 0.5 * square + slack, slack


def halved(f: Smooth, g: Callable[[PyTree], Array], x: PyTree, direction: PyTree, value: Array) -> Array:
    """Step length by halving from 1 until f + g is at most `value`, to rounding; predictions are moved, not remade."""
    z, dz = f.predictions(x), f.predictions(direction)
    slack = 16 * jnp.finfo(value.dtype).eps * jnp.abs(value)

    def short(carry: tuple[Array, Array]) -> Array:
        t, k = carry
        there = f.value_at(z + t * dz) + g(_tree.add_scale(x, t, direction))
        return ~(there <= value + slack) & (k < HALVINGS)

    one = jnp.ones((), value.dtype)
    return jax.lax.while_loop(short, lambda c: (0.5 * c[0], c[1] + 1), (one, jnp.zeros((), jnp.int32)))[0]


def least_damping(step: Array, relative: float = DAMPING) -> Array:
    """What is added to a Hessian, relative to the curvature 1/step, so that collinear features can be solved for."""
    return jnp.maximum(relative, 16 * jnp.finfo(step.dtype).eps) / step


def eased(damping: Array, length: Array, least: Array, most: Array) -> Array:
    """The damping after a Newton step: as much more as the step was shortened, else a part (Levenberg 1944)."""
    return jnp.where(length < 1, jnp.minimum(damping / length, most), jnp.maximum(damping / _EASE, least))
