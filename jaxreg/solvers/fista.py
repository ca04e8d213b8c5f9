"""Accelerated proximal gradient, monotone and restarted: the solver for any smooth risk and any prox."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from jaxreg import _tree
from jaxreg._pytree import pytree, static
from jaxreg._typing import Array, PyTree
from jaxreg.penalties import Penalty
from jaxreg.solvers._descent import first_step, growth, upper_bound
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

    >>> import jax.numpy as jnp, numpy as np, jaxreg as jr
    >>> data = (jnp.eye(2), jnp.array([3.0, 0.5]))
    >>> sol = jr.minimize(jr.risk(jr.linear, jr.Squared()), 0.5 * jr.L1(), jnp.zeros(2), data, solver=jr.FISTA())
    >>> np.asarray(sol.params).round(3).tolist()
    [2.0, 0.0]
    """

    step: Any = None
    restart: bool = static(default=True)
    stride: int = static(default=10)
    patience: int = static(default=60)

    def init(self, f: Smooth, g: Penalty, params: PyTree) -> FISTAState:
        """Start at rest from `params`. Raises TypeError for a loss without gradient."""
        if not f.risk.loss.smooth:
            raise TypeError(
                f"FISTA needs a gradient, and {f.risk.loss!r} has none at its kinks: use solver=jr.PDHG() or jr.ADMM()."
            )
        dtype = _tree.dtype(params)
        step = first_step(f, params) if self.step is None else jnp.asarray(self.step, dtype)
        value = f(params) + g.value(params)
        return FISTAState(params, params, jnp.ones((), dtype), step.astype(dtype), value)

    def update(self, f: Smooth, g: Penalty, state: FISTAState) -> FISTAState:
        """One gradient, one prox; accepted, restarted or repeated with a smaller step."""
        at = f.value_and_grad(state.point)
        new = g.prox(_tree.add_scale(state.point, -state.step, at[1]), state.step)
        smooth, fits, slack = upper_bound(f, state.point, at, new, state.step)
        value = smooth + g.value(new)
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
            jnp.where(fits, state.step * (growth(f) if self.step is None else 1.0), 0.5 * state.step),
            jnp.where(accept, value, state.value),
        )
