"""Douglas-Rachford splitting: least squares and any number of proxes, each on a copy of the parameters."""

from __future__ import annotations

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
from jaxreg.solvers._saddle import Splitting, saddle, start_duals


@pytree
class DouglasRachfordState(Splitting):
    """The first prox, duals of the others, the copies, their anchor, factors of AᵀA, ∇f(0) and the step."""

    params: Any
    duals: Any
    point: Any
    anchor: Anchor
    factors: Factors | None
    offset: Any
    step: Array


@pytree
class DouglasRachford:
    """Douglas-Rachford splitting (Lions and Mercier 1979) in the product space (Pierra 1984), for least squares.

    For f + Σᵢ gᵢ with m blocks: zᵢ = prox_{gᵢ}(yᵢ, t), x = prox_f(mean(2zᵢ - yᵢ), t/m), yᵢ⁺ = yᵢ + x - zᵢ, anchored and
    restarted (Halpern's iteration). It is `ADMM(rho=1/t)` with identities for maps (Gabay 1983); `step` t defaults to
    one over the mean curvature. Raises TypeError for a penalty of a linear map, or anything but a linear model with
    squared loss.

    >>> import jax.numpy as jnp, numpy as np, jaxreg as jr
    >>> data, both = (jnp.eye(4), jnp.diag(jnp.array([3.0, 1.0, 0.0, 0.0]))), jr.L1() + jr.Nuclear()
    >>> solver = jr.DouglasRachford()
    >>> sol = jr.minimize(jr.risk(jr.linear, jr.Squared()), 0.0625 * both, jnp.zeros((4, 4)), data, solver=solver)
    >>> np.asarray(jnp.diag(sol.params)).round(2).tolist()
    [2.5, 0.5, 0.0, 0.0]
    """

    step: Any = None
    stride: int = static(default=10)
    patience: int = static(default=200)

    def init(self, f: Smooth, g: Penalty, params: PyTree) -> DouglasRachfordState:
        """Start every copy from `params`; factorise."""
        s = saddle(f, g, params)
        if not f.is_squared or not s.is_whole:
            raise TypeError(
                "DouglasRachford() solves linear models with squared loss and proxes: use ADMM() or PDHG()."
            )
        factors, zero = factorise(f.normal(params), lambda v: v, params), _tree.zeros_like(params)
        known = first_step(f, params) if factors is None else 1 / factors.scale
        step = known if self.step is None else jnp.asarray(self.step)
        point = (params,) * (1 + len(s.terms))
        duals, step = start_duals(s.terms, params), step.astype(_tree.dtype(params))
        return DouglasRachfordState(params, duals, point, anchor_at(point), factors, jax.grad(f)(zero), step)

    def update(self, f: Smooth, g: Penalty, state: DouglasRachfordState) -> DouglasRachfordState:
        """Every block's prox, the risk's prox of their mean reflection."""
        s, t, ys = saddle(f, g, state.params), state.step, state.point
        zs, duals = s.proxes(ys, t, state.duals)
        reflections = [_tree.add_scale(z, 1.0, _tree.sub(z, y)) for z, y in zip(zs, ys, strict=True)]
        right = jax.tree.map(lambda slope, *parts: sum(parts) / t - slope, state.offset, *reflections)
        x = solve(state.factors, f.normal(state.params), lambda v: v, len(ys) / t, right, zs[0])
        image = tuple(_tree.add_scale(y, 1.0, _tree.sub(x, z)) for y, z in zip(ys, zs, strict=True))
        residual = jnp.sqrt(_tree.norm2(_tree.sub(image, ys)) / t)
        point, anchor, _ = anchored(state.anchor, ys, image, residual, True)
        return DouglasRachfordState(zs[0], duals, point, anchor, state.factors, state.offset, t)
