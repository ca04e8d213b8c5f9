"""Accelerated proximal gradient, monotone and restarted: the solver for any smooth risk and any prox."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxreg import _tree
from jaxreg._pytree import pytree, static
from jaxreg._typing import Array, PyTree
from jaxreg.penalties import Penalty
from jaxreg.solvers._problem import Smooth


@pytree
class FISTAState:
    """Iterate, extrapolated point, momentum, step and objective."""

    params: Any
    point: Any
    momentum: Array
    step: Array
    value: Array


@pytree
class FISTA:
    """FISTA (Beck and Teboulle 2009) with adaptive restart (O'Donoghue and Candès 2015), monotone.

    z = prox(y - t∇f(y), t), y extrapolated. `step` t fixes the step; None starts from the curvature bound of the
    loss (power iteration) or a secant, and halves the step whenever the quadratic upper bound fails by more than
    rounding; one trial per update, so that lanes of a vmap never wait for a line search.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> data = (jnp.eye(2), jnp.array([3.0, 0.5]))
    >>> sol = jr.minimize(jr.risk(jr.linear, jr.Squared()), 0.5 * jr.L1(), jnp.zeros(2), data, solver=jr.FISTA())
    >>> sol.params.round(3).tolist()
    [2.0, 0.0]
    """

    step: Any = None
    restart: bool = static(default=True)
    stride: int = static(default=10)
    patience: int = static(default=60)

    def init(self, f: Smooth, g: Penalty, params: PyTree) -> FISTAState:
        """Start at rest from `params`."""
        dtype = _tree.dtype(params)
        step = first_step(f, params) if self.step is None else jnp.asarray(self.step, dtype)
        value = f(params) + g.value(params)
        return FISTAState(params, params, jnp.ones((), dtype), step.astype(dtype), value)

    def update(self, f: Smooth, g: Penalty, state: FISTAState) -> FISTAState:
        """One gradient, one prox; accepted, restarted or repeated with a smaller step."""
        new, value, fits, slack = trial(f, g, state.point, state.step)
        at_rest = state.momentum == 1
        descends = value <= state.value + slack
        if self.step is not None:
            fits = jnp.array(True)
        elif not f.is_bounded:
            fits = fits & (descends | ~at_rest)
        accept = fits & (descends | at_rest)
        turning = _tree.vdot(_tree.sub(state.point, new), _tree.sub(new, state.params)) > 0
        back = ~accept | (turning & self.restart)
        momentum = jnp.where(back, 1.0, 0.5 * (1 + jnp.sqrt(1 + 4 * jnp.square(state.momentum))))
        push = jnp.where(back, 0.0, (state.momentum - 1) / momentum)
        params = _tree.where(accept, new, state.params)
        point = _tree.add_scale(params, push, _tree.sub(params, state.params))
        return FISTAState(
            params,
            point,
            momentum.astype(state.momentum.dtype),
            jnp.where(fits, state.step * self._growth(f), 0.5 * state.step),
            jnp.where(accept, value, state.value),
        )

    def _growth(self, f: Smooth) -> float:
        """Where the curvature has no bound it may fall on the way: let the step recover slowly."""
        return 1.0 if f.is_bounded or self.step is not None else 1.02


def trial(f: Smooth, g: Penalty, point: PyTree, step: Array) -> tuple[PyTree, Array, Array, Array]:
    """A proximal gradient step, its objective, whether the quadratic upper bound holds, and what rounding may hide.

    Where the curvature is bounded the test is c Σ rows (A d)² <= ‖d‖²/t for the move d: objectives of nearly equal
    points would cancel, and near the optimum halve the step for ever.
    """
    base, grad, predictions = f.value_and_grad(point)
    new = g.prox(_tree.add_scale(point, -step, grad), step)
    moved = _tree.sub(new, point)
    square, eps = _tree.norm2(moved) / step, float(jnp.finfo(base.dtype).eps)
    if f.is_bounded:
        change = f.predictions(moved)
        smooth = f.value_at(predictions + change)
        fits = f.bend(change) <= (1 + 64 * eps) * square
        slack = 16 * eps * (jnp.abs(base) + jnp.abs(smooth))
    else:
        smooth = f(new)
        slack = 16 * eps * (jnp.abs(base) + jnp.abs(smooth))
        fits = smooth <= base + _tree.vdot(grad, moved) + 0.5 * square + slack
    return new, smooth + g.value(new), fits, slack


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
