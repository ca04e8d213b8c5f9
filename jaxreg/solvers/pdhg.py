"""Primal-dual hybrid gradient: any number of proxes of linear maps, without solving a system."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax.numpy as jnp

from jaxreg import _tree
from jaxreg._pytree import pytree, static
from jaxreg._typing import Array, PyTree
from jaxreg.penalties import Penalty
from jaxreg.solvers._anchor import Anchor, anchor_at, anchored
from jaxreg.solvers._descent import first_step, upper_bound
from jaxreg.solvers._problem import Smooth
from jaxreg.solvers._saddle import Splitting, halfway, moves, natural_step, saddle, start_duals
from jaxreg.solvers._terms import Dual


@pytree
class PDHGState(Splitting):
    """The map's last primal and dual image, the point it is applied to next, the anchor, 1/L of f, σ, and the step."""

    params: Any
    duals: Any
    point: Any
    anchor: Anchor
    curve: Array
    sigma: Array
    step: Array


@pytree
class PDHG:
    """Primal-dual hybrid gradient (Chambolle and Pock 2011) with a smooth part (Condat 2013; Vũ 2013), restarted.

    For f(x) + g(x) + Σ h(Kx): x⁺ = prox_g(x - τ(∇f(x) + Σ Kᵀu), τ), u⁺ = prox_h*(u + σ K(2x⁺ - x), σ/‖K‖²), with
    1/τ = L + mσ for m terms. Iterates are anchored and restarted (Halpern's iteration; Lu and Yang 2024), σ follows
    the ratio of dual to primal moves at restarts (Applegate et al. 2021); `sigma` fixes it. It needs products with
    K and Kᵀ only, and takes losses without gradient, such as the absolute error, by their prox.

    >>> import jax.numpy as jnp, numpy as np, jaxreg as jr
    >>> data, penalty = (jnp.eye(4), jnp.array([1.0, 1.5, 3.0, 3.5])), 0.125 * jr.L1().of(jnp.diff)
    >>> sol = jr.minimize(jr.risk(jr.linear, jr.Squared()), penalty, jnp.zeros(4), data, solver=jr.PDHG())
    >>> np.asarray(sol.params).round(2).tolist()
    [1.5, 1.5, 3.0, 3.0]
    """

    sigma: Any = None
    stride: int = static(default=20)
    patience: int = static(default=200)

    def init(self, f: Smooth, g: Penalty, params: PyTree) -> PDHGState:
        """Start from `params` with zero duals."""
        s, dtype = saddle(f, g, params), _tree.dtype(params)
        duals = start_duals(s.terms, params)
        curve = jnp.full((), jnp.inf, dtype) if s.fitted else first_step(f, params).astype(dtype)
        step = natural_step(f, s, duals, curve).astype(dtype)
        sigma = 1 / step if self.sigma is None else jnp.asarray(self.sigma, dtype)
        point = (params, tuple(d.value for d in duals))
        return PDHGState(params, duals, point, anchor_at(point), curve, sigma.astype(dtype), step)

    def update(self, f: Smooth, g: Penalty, state: PDHGState) -> PDHGState:
        """One gradient, one prox per block and term; repeated with a larger L where the upper bound fails."""
        s, (x, us), norms = saddle(f, g, state.params), state.point, [d.norm2 for d in state.duals]
        tau = 1 / (1 / state.curve + len(s.terms) * state.sigma)
        at = None if s.fitted else f.value_and_grad(x)
        slope = s.pull(us, x) if at is None else _tree.add_scale(at[1], 1.0, s.pull(us, x))
        new = s.g.prox(_tree.add_scale(x, -tau, slope), tau)
        over = _tree.add_scale(new, 1.0, _tree.sub(new, x))
        news = tuple(_rise(term, u, over, state.sigma / n) for term, u, n in zip(s.terms, us, norms, strict=True))
        image, primal = (new, news), _tree.norm2(_tree.sub(new, x))
        residual = jnp.sqrt(primal / tau + moves(news, us, norms, 1) / state.sigma)
        point, anchor, restart = anchored(state.anchor, state.point, image, residual, at is None)
        start = state.anchor.point
        follows = self.sigma is None and norms
        sigma = halfway(state.sigma, moves(news, start[1], norms, 1), _tree.norm2(_tree.sub(new, start[0])))
        sigma = jnp.where(restart, sigma, state.sigma) if follows else state.sigma
        made = PDHGState(new, tuple(map(Dual, news, norms)), point, anchor, state.curve, sigma, state.step)
        if at is None:
            return made
        fits = upper_bound(f, x, at, new, state.curve)[1]
        again = replace(state, point=start, anchor=anchor_at(start), curve=0.5 * state.curve)
        return _tree.where(fits, made, again)


def _rise(term: Any, u: PyTree, over: PyTree, sigma: Array) -> PyTree:
    """prox of σh* at u + σKx, by Moreau's identity."""
    moved = _tree.add_scale(term.forward(over), 1 / sigma, u)
    return _tree.scale(sigma, _tree.sub(moved, term.prox(moved, 1 / sigma)))
