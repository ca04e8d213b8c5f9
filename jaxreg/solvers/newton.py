"""Semismooth Newton augmented Lagrangian for least squares: a few small solves per fit, whatever the conditioning.

The proximal point iteration x⁺ = argmin ½‖Ax - b‖² + g(x) + ‖x - x̄‖²/(2σ) is solved through its dual,
min_y ψ(y) = ½‖y‖² + <y, b> + [<u, w> - ½‖w‖²]/σ - g(w) with u = x̄ - σAᵀy and w = prox_{σg}(u), a smooth strongly convex
problem with ∇ψ = y + b - Aw and generalised Hessian I + σ A ∂prox Aᵀ (Li, Sun and Toh 2018).
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxreg import _tree
from jaxreg._linalg import einsum
from jaxreg._pytree import pytree, static
from jaxreg._typing import Array
from jaxreg.penalties import Penalty
from jaxreg.solvers._problem import Smooth

_HALVINGS = 20
_SMOOTH = 1e4
_DENSE = 400
_CG_TOL, _CG_STEPS = 1e-3, 150


@pytree
class NewtonState:
    """Iterate w, proximal centre, dual point y with Aᵀy, σ, and the step of the certificate."""

    params: Any
    centre: Any
    dual: Array
    pulled: Any
    sigma: Array
    step: Array


@pytree
class Newton:
    """Semismooth Newton augmented Lagrangian (SsNAL; Li, Sun and Toh 2018) for a linear model with squared loss.

    The first σ is `scale`/L, multiplied by `growth` at each outer step; large values make outer steps few. Parameters
    must be one array; the intercept is eliminated by centring before. Raises TypeError for any other problem.

    >>> import jax.numpy as jnp, numpy as np, jaxreg as jr
    >>> data, risk = (jnp.eye(2), jnp.array([3.0, -0.5])), jr.risk(jr.linear, jr.Squared())
    >>> sol = jr.minimize(risk, 0.5 * jr.L1(), jnp.zeros(2), data, solver=jr.Newton())
    >>> np.asarray(sol.params).round(3).tolist()
    [2.0, 0.0]
    """

    scale: float = 1e4
    growth: float = 10.0
    stride: int = static(default=1)
    patience: int = static(default=40)

    def init(self, f: Smooth, g: Penalty, params: Any) -> NewtonState:
        """Start from `params` with the residual as dual point."""
        if not f.is_squared or not isinstance(params, jax.Array):
            raise TypeError("Newton solves linear models with Squared() loss on one array; use FISTA() here.")
        curvature = f.curvature(params)
        assert curvature is not None
        step = 1 / jnp.where(curvature > 0, curvature, 1.0)
        forward, back, target = _operators(f, params)
        dual = forward(params) - target
        sigma = jnp.minimum(self.scale * (_SMOOTH if g.smooth else 1.0), _limits(params.dtype)[0]) * step
        return NewtonState(params, params, dual, back(dual), sigma, step)

    def update(self, f: Smooth, g: Penalty, state: NewtonState) -> NewtonState:
        """One Newton step on the dual, then an outer step if the inner problem is solved well enough."""
        forward, back, target = _operators(f, state.params)
        sigma = state.sigma
        u = state.centre - sigma * state.pulled
        w, derivative = jax.linearize(lambda v: g.prox(v, sigma), u)
        gradient = state.dual + target - forward(w)
        direction = _newton_direction(f, g, forward, back, derivative, sigma, gradient)
        pull = back(direction)

        def psi(t: Array) -> Array:
            y, v = state.dual + t * direction, u - t * sigma * pull
            z = g.prox(v, sigma)
            return jnp.sum(y * (0.5 * y + target)) + jnp.sum(z * (v - 0.5 * z)) / sigma - g.value(z)

        t = _armijo(psi, jnp.sum(gradient * direction))
        dual, pulled = state.dual + t * direction, state.pulled + t * pull
        w = g.prox(state.centre - sigma * pulled, sigma)
        rest = _tree.norm2(dual + target - forward(w))
        noise = jnp.square(32 * jnp.finfo(w.dtype).eps) * jnp.sum(jnp.square(target))
        solved = rest <= jnp.maximum(0.25 / sigma * _tree.norm2(w - state.centre), noise)
        raised = jnp.minimum(self.growth * sigma, _limits(w.dtype)[1] * state.step)
        return NewtonState(
            w, jnp.where(solved, w, state.centre), dual, pulled, jnp.where(solved, raised, sigma), state.step
        )


def _limits(dtype: Any) -> tuple[float, float]:
    """The largest first and last σ in units of 1/L that the dtype's digits bear."""
    return (1e9, 1e10) if dtype == jnp.float64 else (1e2, 1e3)


def _operators(f: Smooth, params: Array) -> tuple[Any, Any, Array]:
    """√rows A, its transpose, and √rows y."""
    root = jnp.sqrt(f.rows)
    y = f.data[1]
    rows = jnp.reshape(root, root.shape + (1,) * (y.ndim - root.ndim))

    def forward(w: Array) -> Array:
        return rows * f.predictions(w)

    _, transpose = jax.vjp(forward, params)
    return forward, lambda z: transpose(z)[0], rows * y


def _armijo(psi: Any, slope: Array) -> Array:
    """Step length by halving from 1, with slack for rounding."""
    start = psi(jnp.zeros((), slope.dtype))
    slack = 64 * jnp.finfo(slope.dtype).eps * (1 + jnp.abs(start))

    def short(carry: tuple[Array, Array]) -> Array:
        t, k = carry
        return (psi(t) > start + 1e-4 * t * slope + slack) & (k < _HALVINGS)

    one = jnp.ones((), slope.dtype)
    return jax.lax.while_loop(short, lambda c: (0.5 * c[0], c[1] + 1), (one, jnp.zeros((), jnp.int32)))[0]


def _newton_direction(
    f: Smooth, g: Penalty, forward: Any, back: Any, derivative: Any, sigma: Array, gradient: Array
) -> Array:
    """Solve (I + σ A D Aᵀ) d = -gradient with D the derivative of the prox."""
    if g.elementwise and f.data[0].ndim + f.data[1].ndim <= 5 and not (f.is_multitask and f.data[1].ndim > 2):
        diagonal = derivative(jnp.ones_like(back(gradient)))
        return _diagonal_solve(f, sigma * diagonal, gradient)

    def hessian(d: Array) -> Array:
        return d + sigma * forward(derivative(back(d)))

    if gradient.size <= _DENSE:
        basis = jnp.eye(gradient.size, dtype=gradient.dtype).reshape(gradient.size, *gradient.shape)
        matrix = jax.vmap(hessian)(basis).reshape(gradient.size, gradient.size)
        solved = _solve_positive(matrix, -gradient.reshape(-1, 1))
        return solved.reshape(gradient.shape)
    return jax.scipy.sparse.linalg.cg(hessian, -gradient, tol=_CG_TOL, maxiter=_CG_STEPS)[0]


def _diagonal_solve(f: Smooth, diagonal: Array, gradient: Array) -> Array:
    """The system when D is diagonal: one matrix per task or output."""
    root = jnp.sqrt(f.rows)
    A = root[..., None] * f.data[0]
    eye = jnp.eye(A.shape[-2], dtype=A.dtype)
    if f.is_multitask:
        matrix = eye[None] + einsum("trp,tqp->trq", A * diagonal[:, None, :], A)
        return _solve_positive(matrix, -gradient[..., None])[..., 0]
    if gradient.ndim == 1:
        return _solve_positive(eye + einsum("rp,qp->rq", A * diagonal[None], A), -gradient[:, None])[:, 0]
    matrix = eye[None] + einsum("rp,pk,qp->krq", A, diagonal, A)
    return _solve_positive(matrix, -gradient.T[..., None])[..., 0].T


def _solve_positive(matrix: Array, right: Array) -> Array:
    factor = jax.scipy.linalg.cho_factor(matrix, lower=True)
    return jax.scipy.linalg.cho_solve(factor, right)
