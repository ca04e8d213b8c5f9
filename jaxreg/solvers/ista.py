"""Proximal gradient without momentum: slow, plain, never rising."""

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
class ISTAState:
    """Iterate and step."""

    params: Any
    step: Array


@pytree
class ISTA:
    """Proximal gradient, x⁺ = prox(x - t∇f(x), t) (Combettes and Wajs 2005; Beck and Teboulle 2009).

    The step t is chosen as in `FISTA`, without momentum: the objective falls at every update, also for penalties that
    are not convex.

    >>> import jax.numpy as jnp, numpy as np, jaxreg as jr
    >>> data = (jnp.eye(2), jnp.array([3.0, 0.5]))
    >>> sol = jr.minimize(jr.risk(jr.linear, jr.Squared()), 0.5 * jr.L1(), jnp.zeros(2), data, solver=jr.ISTA())
    >>> np.asarray(sol.params).round(3).tolist()
    [2.0, 0.0]
    """

    step: Any = None
    stride: int = static(default=10)
    patience: int = static(default=200)

    def init(self, f: Smooth, g: Penalty, params: PyTree) -> ISTAState:
        """Start from `params`."""
        step = first_step(f, params) if self.step is None else jnp.asarray(self.step, _tree.dtype(params))
        return ISTAState(params, step.astype(_tree.dtype(params)))

    def update(self, f: Smooth, g: Penalty, state: ISTAState) -> ISTAState:
        """One gradient, one prox; repeated with a smaller step where the upper bound fails."""
        at = f.value_and_grad(state.params)
        new = g.prox(_tree.add_scale(state.params, -state.step, at[1]), state.step)
        if self.step is not None:
            return ISTAState(new, state.step)
        fits = upper_bound(f, state.params, at, new, state.step)[1]
        return ISTAState(
            _tree.where(fits, new, state.params), jnp.where(fits, growth(f) * state.step, 0.5 * state.step)
        )
