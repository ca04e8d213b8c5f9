"""Damped Newton for smooth objectives: generalised linear models with ridge, ToMean and other smooth penalties."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxreg import _tree
from jaxreg._linalg import einsum, matmul
from jaxreg._pytree import pytree, static
from jaxreg._typing import Array, PyTree
from jaxreg.penalties import Penalty
from jaxreg.solvers._descent import DAMPING, eased, first_step, halved, least_damping
from jaxreg.solvers._problem import Smooth

_DENSE = 768


@pytree
class DampedNewtonState:
    """Iterate, damping of the Hessian, and the step of the prox and the certificate."""

    params: Any
    damping: Array
    step: Array


@pytree
class DampedNewton:
    """Newton's method with step halving for linear models with one output and penalties without kinks.

    The direction solves (I - D + tD(∇²f + δI)) d = prox(x - t∇f(x), t) - x with D the derivative of the prox, which is
    Newton's for f + g (Patrinos, Stella and Bemporad 2014, Section 3) and keeps what infinite strengths exclude; of
    d, d/2, d/4, … the longest that descends is taken. Where that is a part of d the damping δ grows as much, at most to
    the curvature of the risk (Levenberg 1944), so that losses with flat tails do not stall. A quadratic objective takes
    one step. All unknowns meet in one matrix: meant for up to some thousand. Raises TypeError for other models and
    penalties.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> data = (jnp.array([[-2.0], [-1.0], [1.0], [2.0]]), jnp.array([0.0, 1.0, 0.0, 1.0]))
    >>> risk = jr.risk(jr.linear, jr.Logistic())
    >>> sol = jr.minimize(risk, 0.1 * jr.Ridge(), jnp.zeros(1), data, solver=jr.DampedNewton())
    >>> round(sol.params.item(), 2), int(sol.status)
    (0.36, 0)
    """

    damping: float = DAMPING
    stride: int = static(default=1)
    patience: int = static(default=20)

    def init(self, f: Smooth, g: Penalty, params: PyTree) -> DampedNewtonState:
        """Start from `params`, the damping relative to the curvature of the risk."""
        if not g.smooth or intercepted(f, params) is None:
            raise TypeError(
                f"DampedNewton serves linear models with one output, parameters w or {{'coef', 'intercept'}}, and "
                f"penalties with a gradient everywhere, not {g!r}; use FISTA() or Newton()."
            )
        step = first_step(f, params).astype(_tree.dtype(params))
        return DampedNewtonState(params, least_damping(step, self.damping), step)

    def update(self, f: Smooth, g: Penalty, state: DampedNewtonState) -> DampedNewtonState:
        """One Newton direction, one line search."""
        x, t = state.params, state.step
        value, slope = jax.value_and_grad(f)(x)
        target, pull = jax.linearize(lambda v: g.prox(v, t), _tree.add_scale(x, -t, slope))
        direction = _direction(f, x, pull, _tree.sub(target, x), t, state.damping)
        length = halved(f, g.value, x, direction, value + g.value(x))
        damping = eased(state.damping, length, least_damping(t, self.damping), 1 / t)
        return DampedNewtonState(_tree.add_scale(x, length, direction), damping, t)


class Design(NamedTuple):
    """Features (..., n, q) of all parameters of a task, the intercept's column of ones last."""

    features: Array
    intercept: bool


def intercepted(f: Smooth, params: PyTree) -> bool | None:
    """Whether a linear model with one output for every task has an intercept, None for any other model."""
    own = not f.is_multitask or f.risk.axes == 0
    if not (f.is_linear and own and f.risk.loss.separable and f.data[1].ndim == f.rows.ndim):
        return None
    if isinstance(params, jax.Array):
        return False
    return True if set(_tree.names(params)) == {"coef", "intercept"} else None


def _design(f: Smooth, params: PyTree) -> Design:
    X, intercept = f.data[0], bool(intercepted(f, params))
    return Design(jnp.concatenate([X, jnp.ones_like(X[..., :1])], -1) if intercept else X, intercept)


def is_small(f: Smooth, params: PyTree) -> bool:
    """Whether a dense matrix of all unknowns is cheap."""
    return intercepted(f, params) is not None and sum(x.size for x in jax.tree.leaves(params)) <= _DENSE


def _direction(f: Smooth, x: PyTree, pull: Any, right: PyTree, t: Array, damping: Array) -> PyTree:
    made = _design(f, x)
    packed = _pack(right, made.intercept)

    def unpack(v: Array) -> PyTree:
        v = v.reshape(packed.shape)
        return {"coef": v[..., :-1], "intercept": v[..., -1]} if made.intercept else v

    size = packed.size
    eye = jnp.eye(size, dtype=packed.dtype)
    derivative = jax.vmap(lambda v: _pack(pull(unpack(v)), made.intercept).reshape(-1), out_axes=1)(eye)
    curved = _risk_hessian(f, f.predictions(x), made.features) + damping * eye
    system = eye - derivative + t * matmul(derivative, curved)
    return unpack(jnp.linalg.solve(system, packed.reshape(-1, 1))[:, 0])


def _pack(params: PyTree, intercept: bool) -> Array:
    return jnp.concatenate([params["coef"], params["intercept"][..., None]], -1) if intercept else params


def _risk_hessian(f: Smooth, z: Array, features: Array) -> Array:
    """X' diag(rows ℓ'') X, one block per task."""
    bend = jax.jvp(jax.grad(f.value_at), (z,), (jnp.ones_like(z),))[1]
    weighted = features * bend[..., None]
    if not f.is_multitask:
        return einsum("np,nq->pq", weighted, features)
    blocks = einsum("tnp,tnq->tpq", weighted, features)
    tasks, size = blocks.shape[:2]
    spread = jnp.eye(tasks, dtype=blocks.dtype)[:, None, :, None] * blocks[:, :, None, :]
    return spread.reshape(tasks * size, tasks * size)
