"""Three-operator splitting: a smooth risk and two proxes."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from jaxreg import _tree
from jaxreg._pytree import pytree, static
from jaxreg._typing import Array, PyTree
from jaxreg.penalties import Penalty
from jaxreg.solvers._descent import first_step, growth, upper_bound
from jaxreg.solvers._problem import Smooth
from jaxreg.solvers._saddle import Splitting, saddle, start_duals
from jaxreg.solvers._terms import Dual


@pytree
class DavisYinState(Splitting):
    """The prox of the first block, that of the second, the second's dual, and the step."""

    params: Any
    point: Any
    duals: Any
    step: Array


@pytree
class DavisYin:
    """Three-operator splitting (Davis and Yin 2017) with a step that adapts (Pedregosa and Gidel 2018).

    For f + g + h it takes x = prox_g(z - t(u + ∇f(z)), t), z⁺ = prox_h(x + tu, t) and u⁺ = u + (x - z⁺)/t, so that u is
    in ∂h(z). The penalty is split into g and h; one block alone gives ISTA. Raises TypeError for more than two blocks,
    a penalty of a linear map or a loss without gradient.

    >>> import jax.numpy as jnp, numpy as np, jaxreg as jr
    >>> data, both = (jnp.eye(4), jnp.diag(jnp.array([3.0, 1.0, 0.0, 0.0]))), jr.L1() + jr.Nuclear()
    >>> risk = jr.risk(jr.linear, jr.Squared())
    >>> sol = jr.minimize(risk, 0.0625 * both, jnp.zeros((4, 4)), data, solver=jr.DavisYin())
    >>> np.asarray(jnp.diag(sol.params)).round(2).tolist()
    [2.5, 0.5, 0.0, 0.0]
    """

    step: Any = None
    stride: int = static(default=10)
    patience: int = static(default=200)

    def init(self, f: Smooth, g: Penalty, params: PyTree) -> DavisYinState:
        """Start from `params` with a zero dual."""
        s = saddle(f, g, params)
        if len(s.terms) > 1 or not s.is_whole:
            why = "its loss has no gradient" if s.fitted else f"{g!r} is not the sum of two blocks with a prox"
            raise TypeError(f"DavisYin() cannot solve this problem: {why}. Use ADMM() or PDHG().")
        step = first_step(f, params) if self.step is None else jnp.asarray(self.step, _tree.dtype(params))
        return DavisYinState(params, params, start_duals(s.terms, params), step.astype(_tree.dtype(params)))

    def update(self, f: Smooth, g: Penalty, state: DavisYinState) -> DavisYinState:
        """One gradient and both proxes; repeated with a smaller step where the upper bound fails."""
        s, t = saddle(f, g, state.params), state.step
        at = f.value_and_grad(state.point)
        pulled = s.pull(tuple(d.value for d in state.duals), state.params)
        x = s.g.prox(_tree.add_scale(state.point, -t, _tree.add_scale(at[1], 1.0, pulled)), t)
        point, duals = x, state.duals
        for term, dual in zip(s.wholes, state.duals, strict=True):
            image = _tree.add_scale(term.forward(x), t, dual.value)
            near = term.prox(image, t)
            point = term.put(near, x)
            duals = (Dual(_tree.scale(1 / t, _tree.sub(image, near)), dual.norm2),)
        if self.step is not None:
            return DavisYinState(x, point, duals, t)
        fits = upper_bound(f, state.point, at, x, t)[1]
        new = DavisYinState(x, point, duals, t * growth(f))
        return _tree.where(fits, new, DavisYinState(state.params, state.point, state.duals, 0.5 * t))
