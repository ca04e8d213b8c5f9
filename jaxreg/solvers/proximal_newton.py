"""Proximal Newton for generalised linear models with thresholding penalties: every step is a small least squares."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxreg import _tree
from jaxreg._linalg import matmul
from jaxreg._pytree import pytree, static
from jaxreg._typing import Array, PyTree
from jaxreg.penalties import Penalty
from jaxreg.solvers._certificate import Reference
from jaxreg.solvers._descent import first_step, halved
from jaxreg.solvers._entering import thresholds
from jaxreg.solvers._loop import least_tolerance
from jaxreg.solvers._problem import Smooth
from jaxreg.solvers._reduce import coefficient_part
from jaxreg.solvers.active_set import Gram, minimise
from jaxreg.solvers.damped import is_small

_DAMPING = 1e-12


@pytree
class ProximalNewtonState:
    """Iterate, damping of the Hessian, and the step of the certificate."""

    params: Any
    damping: Array
    step: Array


@pytree
class ProximalNewton:
    """Proximal Newton (Lee, Sun and Saunders 2014) for linear models with one output and elementwise penalties.

    The objective is replaced by f(x) + <∇f, d> + ½d'∇²f d + g(x + d), a least squares on a Gram matrix that active-set
    Newton steps solve exactly, an unpenalised intercept being eliminated; of d, d/2, d/4, … the longest that descends
    is taken. For losses with curvature, such as `Logistic` and `Poisson`, and up to some hundred features. Raises
    TypeError for other models and penalties.

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
        if not serves(f, g, params):
            raise TypeError(
                f"ProximalNewton serves linear models with one output and one task, parameters w or {{'coef', "
                f"'intercept'}}, and convex elementwise penalties of the coefficients, not {g!r}; use FISTA()."
            )
        step = first_step(f, params).astype(_tree.dtype(params))
        return ProximalNewtonState(params, jnp.maximum(_DAMPING, 16 * jnp.finfo(step.dtype).eps) / step, step)

    def update(self, f: Smooth, g: Penalty, state: ProximalNewtonState) -> ProximalNewtonState:
        """One least squares, one line search."""
        x = state.params
        found = coefficient_part(f, g, x)
        assert found is not None
        part, intercept = found
        coef = x["coef"] if intercept else x
        z = f.predictions(x)
        value = f.value_at(z) + g.value(x)
        slopes, bends = jax.jvp(jax.grad(f.value_at), (z,), (jnp.ones_like(z),))
        gram, mean, level = _model(f.data[0], slopes, jnp.maximum(bends, 0.0), coef, state.damping, intercept)
        scale = jnp.maximum(jnp.abs(value), jnp.finfo(value.dtype).tiny)
        tol = jnp.asarray(least_tolerance(coef.dtype), coef.dtype)
        new = minimise(gram, part, Reference(scale, scale), coef, tol)
        move = new - coef
        direction = {"coef": move, "intercept": -level - matmul(mean, move)} if intercept else move
        length = halved(f, g, x, direction, value)
        return ProximalNewtonState(_tree.add_scale(x, length, direction), state.damping, state.step)


def serves(f: Smooth, g: Penalty, params: PyTree) -> bool:
    """Whether the solver is made for a problem."""
    if f.is_multitask or not is_small(f, params) or not f.risk.loss.smooth:
        return False
    found = coefficient_part(f, g, params)
    return found is not None and thresholds(found[0])


def _model(
    X: Array, slopes: Array, bends: Array, coef: Array, damping: Array, intercept: bool
) -> tuple[Gram, Array, Array]:
    """The quadratic model in the coefficients, the intercept at its best; its features' means and its level."""
    eps, tiny = jnp.finfo(coef.dtype).eps, jnp.finfo(coef.dtype).tiny
    total = jnp.maximum(jnp.sum(bends), tiny)
    mean, level = jnp.zeros_like(coef), jnp.zeros((), coef.dtype)
    if intercept:
        mean, level = matmul(bends, X) / total, jnp.sum(slopes) / total
    Z = X - mean[None]
    matrix = matmul((Z * bends[:, None]).T, Z) + damping * jnp.eye(len(coef), dtype=coef.dtype)
    pulled = matmul(matrix, coef)
    cross = pulled - matmul(slopes, Z)
    misfit = jnp.sum(jnp.square(slopes) / jnp.maximum(bends, jnp.maximum(eps * jnp.max(bends), tiny)))
    return Gram(matrix, cross, misfit + jnp.sum((2 * cross - pulled) * coef)), mean, level
