"""Derivatives of a solution through the fixed point of the proximal gradient step, never through the iterations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from jaxreg import _tree
from jaxreg._linalg import matmul, svd
from jaxreg._typing import Array, PyTree
from jaxreg.penalties import Penalty
from jaxreg.solvers._loop import Solution
from jaxreg.solvers._problem import Smooth
from jaxreg.solvers._saddle import Saddle, natural_step, saddle
from jaxreg.solvers._terms import Dual

_DENSE = 512
_FREE_STEPS = 400
_SPLIT = 2048


def solution_tangent(
    f: Smooth, g: Penalty, solution: Solution, duals: tuple[Dual, ...], df: Smooth, dg: Penalty
) -> Solution:
    """The derivative of a solution along (df, dg).

    At x = prox(x - t∇f(x), t) =: T(x; θ), dx = (I - ∂ₓT)⁻¹ ∂_θT dθ. The derivative of the prox is zero off the active
    set, so that dx is too. Of a split problem the fixed point is that of x and its duals together; dx is unique where
    they are not. Of the solution only `params` and `value` carry derivatives.

    Raises TypeError for a split problem with too many unknowns.
    """
    point = (solution.params, tuple(d.value for d in duals))
    steps = _steps(f, g, solution.params, duals)
    _need_few(point)
    _, drift = jax.jvp(lambda f, g: _fixed(f, g, point, steps), (f, g), (df, dg))
    dx = _solve(lambda v: jax.jvp(lambda z: _fixed(f, g, z, steps), (point,), (v,))[1], drift, bool(duals))[0]
    _, dvalue = jax.jvp(lambda f, g: _envelope(f, g, point, steps), (f, g), (df, dg))
    still = jax.tree.map(_zero_tangent, solution)
    return Solution(dx, dvalue, still.gap, still.steps, still.status)


def _fixed(f: Smooth, g: Penalty, point: tuple[PyTree, tuple[PyTree, ...]], steps: list[Array]) -> PyTree:
    """The map whose fixed points are solutions: x⁺ = prox_g(x - tq, t) with q = ∇f + Σ Kᵀu, u⁺ = (v - prox_h(v))/t."""
    (x, us), s = point, saddle(f, g, point[0])
    new = s.g.prox(_tree.add_scale(x, -steps[0], _slope(f, s, point)), steps[0])
    images = [_tree.add_scale(k.forward(x), t, u) for k, u, t in zip(s.terms, us, steps[1:], strict=True)]
    rest = [_tree.sub(v, k.prox(v, t)) for k, v, t in zip(s.terms, images, steps[1:], strict=True)]
    return new, tuple(_tree.scale(1 / t, r) for r, t in zip(rest, steps[1:], strict=True))


def _envelope(f: Smooth, g: Penalty, point: tuple[PyTree, tuple[PyTree, ...]], steps: list[Array]) -> Array:
    """The objective at a solution as a function that is flat there in x and u, and smooth in everything else.

    It is the forward-backward envelope of the augmented Lagrangian: kinks at the solution are seen through the prox.
    """
    (x, us), s = point, saddle(f, g, point[0])
    total = jnp.asarray(f.constant) if s.fitted else f(x)
    for k, u, t in zip(s.terms, us, steps[1:], strict=True):
        v = _tree.add_scale(k.forward(x), t, u)
        z = k.prox(v, t)
        total = total + k.value(z) + _tree.norm2(_tree.sub(z, v)) / (2 * t) - 0.5 * t * _tree.norm2(u)
    q = _slope(f, s, point)
    return total - 0.5 * steps[0] * _tree.norm2(q) + s.g.envelope(_tree.add_scale(x, -steps[0], q), steps[0])


def _slope(f: Smooth, s: Saddle, point: tuple[PyTree, tuple[PyTree, ...]]) -> PyTree:
    pulled = s.pull(point[1], point[0])
    return pulled if s.fitted else _tree.add_scale(pulled, 1.0, jax.grad(f)(point[0]))


def _steps(f: Smooth, g: Penalty, x: PyTree, duals: tuple[Dual, ...]) -> list[Array]:
    """Prox steps of the first block and of every term."""
    s = saddle(f, g, x)
    step = natural_step(f, s, duals, jnp.ones((), _tree.dtype(x)) if s.fitted else _safe_step(f, x))
    return [jax.lax.stop_gradient(t) for t in (step, *(step * d.norm2 for d in duals))]


def _need_few(point: tuple[PyTree, tuple[PyTree, ...]]) -> None:
    size = sum(x.size for x in jax.tree.leaves(point))
    if point[1] and size > _SPLIT:
        raise TypeError(
            f"derivatives of a solution by splitting solve for parameters and duals together, {size} here, at most "
            f"{_SPLIT}: differentiate a smaller problem, or one whose penalty has a prox as a whole."
        )


def _safe_step(f: Smooth, x: PyTree) -> Array:
    curvature = f.curvature(x)
    if curvature is None:
        ones = jax.tree.map(jnp.ones_like, x)
        bent = jax.jvp(jax.grad(f), (x,), (ones,))[1]
        curvature = jnp.sqrt(_tree.norm2(bent) / _tree.norm2(ones))
    return jax.lax.stop_gradient(1 / jnp.where(curvature > 0, curvature, 1.0))


def _zero_tangent(x: Array) -> Any:
    floating = jnp.issubdtype(x.dtype, jnp.floating)
    return jnp.zeros_like(x) if floating else np.zeros(x.shape, jax.dtypes.float0)


def _solve(jacobian: Callable[[PyTree], PyTree], right: PyTree, split: bool) -> PyTree:
    """(I - J)⁻¹ right, the least-norm solution where a rank-deficient active set leaves several."""
    flat, unravel = ravel_pytree(right)

    def matvec(v: Array) -> Array:
        return v - ravel_pytree(jacobian(unravel(v)))[0]

    def solve(apply: Callable[[Array], Array], b: Array) -> Array:
        if flat.size <= (_SPLIT if split else _DENSE):
            matrix = jax.vmap(apply, out_axes=1)(jnp.eye(flat.size, dtype=flat.dtype))
            u, s, vt = svd(matrix)
            kept = s > 10 * flat.size * jnp.finfo(s.dtype).eps * s[0]
            inverse = jnp.where(kept, 1 / jnp.where(kept, s, 1.0), 0.0)
            return matmul(vt.T, inverse * matmul(u.T, b))
        turn = jax.linear_transpose(apply, b)
        return jax.scipy.sparse.linalg.cg(lambda v: turn(apply(v))[0], turn(b)[0], tol=1e-10, maxiter=_FREE_STEPS)[0]

    return unravel(jax.lax.custom_linear_solve(matvec, flat, solve, transpose_solve=solve))
