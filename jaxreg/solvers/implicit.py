"""Derivatives of a solution through the fixed point of the proximal gradient step, never through the iterations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from jaxreg import _tree
from jaxreg._linalg import matmul
from jaxreg._typing import Array, PyTree
from jaxreg.penalties import Penalty
from jaxreg.solvers._loop import Solution
from jaxreg.solvers._problem import Smooth

_DENSE = 512
_FREE_STEPS = 400


def solution_tangent(f: Smooth, g: Penalty, solution: Solution, df: Smooth, dg: Penalty) -> Solution:
    """The derivative of a solution along (df, dg).

    At x = prox(x - t∇f(x), t) =: T(x; θ), dx = (I - ∂ₓT)⁻¹ ∂_θT dθ. The derivative of the prox is zero off the active
    set, so that dx is too. Of the solution only `params` and `value` carry derivatives.
    """
    x = solution.params
    step = _safe_step(f, x)

    def fixed(f: Smooth, g: Penalty, x: PyTree) -> PyTree:
        return g.prox(_tree.add_scale(x, -step, jax.grad(f)(x)), step)

    _, drift = jax.jvp(lambda f, g: fixed(f, g, x), (f, g), (df, dg))
    dx = _solve(lambda v: jax.jvp(lambda z: fixed(f, g, z), (x,), (v,))[1], drift)
    _, dvalue = jax.jvp(lambda f, g: f(x) + g.value(x), (f, g), (df, dg))
    still = jax.tree.map(_zero_tangent, solution)
    return Solution(dx, dvalue, still.gap, still.steps, still.status)


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


def _solve(jacobian: Callable[[PyTree], PyTree], right: PyTree) -> PyTree:
    """(I - J)⁻¹ right, the least-norm solution where a rank-deficient active set leaves several."""
    flat, unravel = ravel_pytree(right)

    def matvec(v: Array) -> Array:
        return v - ravel_pytree(jacobian(unravel(v)))[0]

    def solve(apply: Callable[[Array], Array], b: Array) -> Array:
        if flat.size <= _DENSE:
            matrix = jax.vmap(apply, out_axes=1)(jnp.eye(flat.size, dtype=flat.dtype))
            u, s, vt = jnp.linalg.svd(matrix)
            kept = s > 10 * flat.size * jnp.finfo(s.dtype).eps * s[0]
            inverse = jnp.where(kept, 1 / jnp.where(kept, s, 1.0), 0.0)
            return matmul(vt.T, inverse * matmul(u.T, b))
        turn = jax.linear_transpose(apply, b)
        return jax.scipy.sparse.linalg.cg(lambda v: turn(apply(v))[0], turn(b)[0], tol=1e-10, maxiter=_FREE_STEPS)[0]

    return unravel(jax.lax.custom_linear_solve(matvec, flat, solve, transpose_solve=solve))
