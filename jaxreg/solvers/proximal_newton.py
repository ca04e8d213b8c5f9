"""Proximal Newton for generalised linear models: every step is a least squares with the penalty."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import jax.numpy as jnp

from jaxreg import _tree
from jaxreg._linalg import matmul
from jaxreg._pytree import pytree, static
from jaxreg._typing import Array, PyTree
from jaxreg.penalties import Leafwise, Penalty
from jaxreg.solvers._certificate import Reference
from jaxreg.solvers._descent import eased, first_step, halved, least_damping
from jaxreg.solvers._entering import thresholds
from jaxreg.solvers._loop import least_tolerance
from jaxreg.solvers._problem import Smooth
from jaxreg.solvers._quadratic_model import bent, flattest, is_modelled, is_small_model, model_minimiser
from jaxreg.solvers._reduce import coefficient_part
from jaxreg.solvers._saddle import Splitting, saddle, start_duals
from jaxreg.solvers.active_set import Gram, minimise
from jaxreg.solvers.damped import intercepted, is_small

_COARSE, _SHARE = 1e-3, 0.1


@pytree
class ProximalNewtonState(Splitting):
    """Iterate, duals of blocks but the first, the Hessian's damping, step of the certificate, tolerance of models."""

    params: Any
    duals: Any
    damping: Array
    step: Array
    tol: Array


@pytree
class ProximalNewton:
    """Proximal Newton (Lee, Sun and Saunders 2014) for linear models with one output for every task.

    The objective is replaced by f(x) + <∇f, d> + ½d'∇²f d + g(x + d), a weighted least squares, an unpenalised
    intercept being eliminated; of d, d/2, d/4, … the longest that descends is taken. With one task and an elementwise
    penalty active-set Newton steps solve it exactly on a Gram matrix, with several tasks or other convex penalties, or
    sums of blocks with a prox each, `Newton()` or `AndersonSplitting()`, further at every step. For losses with
    curvature, such as `Logistic` and `Poisson`, and up to some hundred features, however they are scaled. Raises
    TypeError for other models and for penalties of a linear map.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> data = (jnp.array([[-2.0, 0.0], [-1.0, 1.0], [1.0, 0.0], [2.0, 1.0]]), jnp.array([0.0, 1.0, 0.0, 1.0]))
    >>> risk = jr.risk(jr.linear, jr.Logistic())
    >>> sol = jr.minimize(risk, 0.1 * jr.L1(), jnp.zeros(2), data, solver=jr.ProximalNewton())
    >>> [round(w, 2) for w in sol.params.tolist()], int(sol.status)
    ([0.15, 1.33], 0)
    """

    stride: int = static(default=1)
    patience: int = static(default=20)

    def init(self, f: Smooth, g: Penalty, params: PyTree) -> ProximalNewtonState:
        """Start from `params`, the damping relative to the curvature of the risk."""
        if not (_fits(f, g, params) or is_modelled(f, g, params)):
            raise TypeError(
                f"ProximalNewton serves linear models with one output for every task, no intercept but a free one, and "
                f"convex penalties of the coefficients whose blocks have a prox, not {g!r}; use FISTA()."
            )
        step = first_step(f, params).astype(_tree.dtype(params))
        duals = start_duals(saddle(f, g, params).terms, params)
        return ProximalNewtonState(params, duals, least_damping(step), step, jnp.asarray(_COARSE, step.dtype))

    def update(self, f: Smooth, g: Penalty, state: ProximalNewtonState) -> ProximalNewtonState:
        """One least squares, one line search."""
        x = state.params
        if not _fits(f, g, x):
            return _by_model(f, g, state)
        found = coefficient_part(f, g, x)
        assert found is not None
        part, intercept = found
        z = f.predictions(x)
        slopes, bends = bent(f, z)
        curved = curvature(f.data[0], bends, state.damping, intercept)
        moved = stepped(f, g, part, x, curved, slopes, f.value_at(z) + g.value(x))
        return replace(state, params=moved)


def _by_model(f: Smooth, g: Penalty, state: ProximalNewtonState) -> ProximalNewtonState:
    """A step to the minimiser of the quadratic model, found to a part of what the step before gained."""
    x = state.params
    s = saddle(f, g, x)

    def penalty(x: PyTree) -> Array:
        """What of g is finite: the first block's prox is near the domain of others, not in it."""
        values = [t.value(t.forward(x)) for t in s.terms]
        return sum((jnp.where(jnp.isposinf(v), 0.0, v) for v in values), s.g.value(x))

    z = f.predictions(x)
    value = f.value_at(z) + penalty(x)
    floor = jnp.asarray(flattest(state.step.dtype), state.step.dtype)
    least = jnp.maximum(state.damping * state.step, floor)
    found, duals = model_minimiser(f, g, x, z, value, state.tol, least)
    direction = _tree.sub(found, x)
    length = halved(f, penalty, x, direction, value)
    moved = _tree.add_scale(x, length, direction)
    damping = eased(least, length, floor, jnp.ones_like(floor)) / state.step
    gained = (value - f(moved) - penalty(moved)) / jnp.maximum(jnp.abs(value), jnp.finfo(value.dtype).tiny)
    tol = jnp.clip(_SHARE * gained, least_tolerance(value.dtype), _SHARE * state.tol)
    return replace(state, params=moved, duals=duals, tol=tol, damping=damping)


class Curved(NamedTuple):
    """A quadratic model's Hessian in the coefficients, with the curvatures (n,) and feature means it is made from."""

    matrix: Array
    bends: Array
    mean: Array


def curvature(X: Array, bends: Array, damping: Array, intercept: bool) -> Curved:
    """X' diag(bends) X + damping, an intercept eliminated by means that bends weigh."""
    mean = jnp.zeros(X.shape[1], X.dtype)
    if intercept:
        mean = matmul(bends, X) / jnp.maximum(jnp.sum(bends), jnp.finfo(X.dtype).tiny)
    Z = X - mean[None]
    return Curved(matmul((Z * bends[:, None]).T, Z) + damping * jnp.eye(X.shape[1], dtype=X.dtype), bends, mean)


def stepped(f: Smooth, g: Penalty, part: Leafwise, x: PyTree, curved: Curved, slopes: Array, value: Array) -> PyTree:
    """The quadratic model's minimiser, or as far towards it as the objective falls."""
    intercept = isinstance(x, dict)
    coef = x["coef"] if intercept else x
    move, shift = newton_direction(part, coef, value, slopes, matmul(slopes, f.data[0]), curved)
    direction = {"coef": move, "intercept": shift} if intercept else move
    return _tree.add_scale(x, halved(f, g.value, x, direction, value), direction)


def newton_direction(
    part: Leafwise, coef: Array, value: Array, slopes: Array, pulled: Array, curved: Curved
) -> tuple[Array, Array]:
    """The way to the quadratic model's minimiser, of the coefficients and of an intercept; `pulled` is X' slopes."""
    eps, tiny = jnp.finfo(coef.dtype).eps, jnp.finfo(coef.dtype).tiny
    back, total = matmul(curved.matrix, coef), jnp.sum(slopes)
    cross = back - (pulled - total * curved.mean)
    misfit = jnp.sum(jnp.square(slopes) / jnp.maximum(curved.bends, jnp.maximum(eps * jnp.max(curved.bends), tiny)))
    gram = Gram(curved.matrix, cross, misfit + jnp.sum((2 * cross - back) * coef))
    scale = jnp.maximum(jnp.abs(value), tiny)
    tol = jnp.asarray(least_tolerance(coef.dtype), coef.dtype)
    move = minimise(gram, part, Reference(scale, scale), coef, tol) - coef
    return move, -total / jnp.maximum(jnp.sum(curved.bends), tiny) - matmul(curved.mean, move)


def serves(f: Smooth, g: Penalty, params: PyTree) -> bool:
    """Whether the solver is made for a problem, and the problem small enough for one matrix of its features."""
    if _fits(f, g, params):
        return is_small(f, params)
    return is_modelled(f, g, params) and is_small_model(f)


def _fits(f: Smooth, g: Penalty, params: PyTree) -> bool:
    if f.is_multitask or intercepted(f, params) is None or not f.risk.loss.smooth:
        return False
    found = coefficient_part(f, g, params)
    return found is not None and thresholds(found[0])
