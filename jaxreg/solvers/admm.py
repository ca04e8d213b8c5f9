"""The alternating direction method of multipliers, for any number of proxes of linear maps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from jaxreg import _tree
from jaxreg._pytree import pytree, static
from jaxreg._typing import Array, PyTree
from jaxreg.penalties import Penalty
from jaxreg.solvers._anchor import Anchor, anchor_at, anchored
from jaxreg.solvers._descent import first_step
from jaxreg.solvers._normal import Factors, factorise, solve
from jaxreg.solvers._problem import Smooth
from jaxreg.solvers._saddle import Saddle, Splitting, halfway, moves, natural_step, pull, saddle, start_duals
from jaxreg.solvers._terms import Dual, Term, whole


@pytree
class ADMMState(Splitting):
    """Parameters and duals of the last update, the point (x, v) of the next, its anchor, and what is fixed.

    `mark` holds Kx and u of the last restart, `norms` ‖K‖² of every term, `offset` ∇f(0).
    """

    params: Any
    duals: Any
    point: Any
    anchor: Anchor
    mark: Any
    rho: Array
    norms: Any
    factors: Factors | None
    offset: Any
    step: Array


@pytree
class ADMM:
    """ADMM (Boyd et al. 2011) on f(x) + Σ h(z) with z = Kx, one copy z for each block of the penalty and each map.

    z = prox_{h/ρ}(v), u = ρ(v - z), x = argmin f + Σ ρ/2 ‖Kx - z + u/ρ‖², v⁺ = Kx + u/ρ, with ρ/‖K‖² for ρ in each
    term; v is anchored and restarted (Halpern's iteration; Sun, Yuan, Zhang and Zhao 2025). A loss that is not squared
    enters by its quadratic upper bound c/2 ‖√rows A(x - x̄)‖² (Li, Sun and Toh 2016), one without gradient as one more
    h. The system in x is diagonalised once, so that ρ may change at restarts at no cost; `rho` fixes it. Above a
    thousand parameters it is solved by conjugate gradients. Raises TypeError for a model that is not linear, or a loss
    with neither a curvature bound nor, without gradient, a prox.

    >>> import jax.numpy as jnp, numpy as np, jaxreg as jr
    >>> data, penalty = (jnp.eye(4), jnp.array([1.0, 1.5, 3.0, 3.5])), 0.125 * jr.L1().of(jnp.diff)
    >>> sol = jr.minimize(jr.risk(jr.linear, jr.Squared()), penalty, jnp.zeros(4), data, solver=jr.ADMM())
    >>> np.asarray(sol.params).round(2).tolist()
    [1.5, 1.5, 3.0, 3.0]
    """

    rho: Any = None
    stride: int = static(default=10)
    patience: int = static(default=200)

    def init(self, f: Smooth, g: Penalty, params: PyTree) -> ADMMState:
        """Start from `params` with zero duals; factorise."""
        s, every = _terms(f, g, params)
        if not f.is_linear or not (s.fitted or f.is_bounded):
            raise TypeError(
                "ADMM() needs the linear model jaxreg.linear and a loss with a curvature bound: use PDHG()."
            )
        zeros, dtype = start_duals(every, params), _tree.dtype(params)
        norms, duals = tuple(d.norm2 for d in zeros), zeros[len(every) - len(s.terms) :]
        step = natural_step(f, s, duals, jnp.ones((), dtype) if s.fitted else first_step(f, params))
        factors = factorise(*_maps(f, s, every, norms, params), params)
        rho = 1 / step if s.fitted or factors is None else factors.scale
        rho = (rho if self.rho is None else jnp.asarray(self.rho)).astype(dtype)
        images = tuple(t.forward(params) for t in every)
        offset = _tree.zeros_like(params) if s.fitted else jax.grad(f)(_tree.zeros_like(params))
        point, mark = (params, images), (images, tuple(d.value for d in zeros))
        fixed = (norms, factors, offset, step.astype(dtype))
        return ADMMState(params, duals, point, anchor_at(point), mark, rho, *fixed)

    def update(self, f: Smooth, g: Penalty, state: ADMMState) -> ADMMState:
        """One prox per term, one linear solve; anchored and restarted."""
        s, every = _terms(f, g, state.params)
        (x, vs), exact = state.point, s.fitted is not None or f.is_squared
        scales = [state.rho / n for n in state.norms]
        copies = [t.prox(v, 1 / r) for t, v, r in zip(every, vs, scales, strict=True)]
        us = tuple(_tree.scale(r, _tree.sub(v, z)) for v, z, r in zip(vs, copies, scales, strict=True))
        wanted = tuple(_tree.sub(_tree.scale(r, z), u) for z, u, r in zip(copies, us, scales, strict=True))
        H, M = _maps(f, s, every, state.norms, x)
        slope = state.offset if exact else _tree.sub(jax.grad(f)(x), H(x))
        new = solve(state.factors, H, M, state.rho, _tree.sub(pull(every, wanted, x), slope), x)
        images = tuple(t.forward(new) for t in every)
        image = (new, _raised(images, us, state.norms, state.rho))
        square = state.rho * moves(image[1], vs, state.norms, -1)
        square = square if exact else square + _tree.norm2(_tree.sub(new, x)) / state.step
        point, anchor, restart = anchored(state.anchor, state.point, image, jnp.sqrt(square), exact)
        params = new if len(every) == len(s.terms) else every[0].put(copies[0], new)
        duals = tuple(map(Dual, us, state.norms))[len(every) - len(s.terms) :]
        made = replace(state, params=params, duals=duals, point=point, anchor=anchor)
        return _tree.where(restart, self._rebalanced(made, images, us), made) if self.rho is None else made

    def _rebalanced(self, state: ADMMState, images: Any, us: Any) -> ADMMState:
        """ρ toward the ratio of the moves of duals and images since the last restart."""
        rho = halfway(
            state.rho, moves(us, state.mark[1], state.norms, 1), moves(images, state.mark[0], state.norms, -1)
        )
        point = (state.point[0], _raised(images, us, state.norms, rho))
        return replace(state, rho=rho, point=point, anchor=replace(state.anchor, point=point), mark=(images, us))


def _terms(f: Smooth, g: Penalty, params: PyTree) -> tuple[Saddle, tuple[Any, ...]]:
    """The problem, and its first block, where that acts at all, as a term before the others."""
    s = saddle(f, g, params)
    first = whole(s.g, params)
    return s, ((first, *s.terms) if first.leaves else s.terms)


def _maps(
    f: Smooth, s: Saddle, every: tuple[Term, ...], norms: tuple[Array, ...], params: PyTree
) -> tuple[Callable[[PyTree], PyTree], Callable[[PyTree], PyTree]]:
    """H = c Aᵀ rows A, zero where the loss is a term, and M = Σ KᵀK/‖K‖²."""
    normal = f.normal(params)

    def H(v: PyTree) -> PyTree:
        return _tree.zeros_like(v) if s.fitted else _tree.scale(f.risk.loss.curvature, normal(v))

    def M(v: PyTree) -> PyTree:
        images = (_tree.scale(1 / n, t.forward(v)) for t, n in zip(every, norms, strict=True))
        return pull(every, tuple(images), v)

    return H, M


def _raised(images: Any, us: Any, norms: Any, rho: Array) -> tuple[PyTree, ...]:
    """Kx + u/ρ for every term."""
    return tuple(_tree.add_scale(k, n / rho, u) for k, u, n in zip(images, us, norms, strict=True))
