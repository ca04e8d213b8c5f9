"""The balance G w = w^(-β): a damped Newton method on its convex potential."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxreg._linalg import matmul
from jaxreg._typing import Array

MOST = 60


def balance(C: Array, b: Array, beta: Array) -> Array:
    """The u > 0 with C u = b u^(-β), for a positive semidefinite C (T, T) with unit diagonal, b > 0 and β > 0.

    It minimises ½u'Cu - Σ bᵢ U(uᵢ) with U' = u^(-β), strictly convex. Where no solution exists (some combination of
    the gradients with positive weights vanishes) a ridge of a few roundings keeps it finite.
    """
    eps = jnp.finfo(b.dtype).eps
    C = C + 4 * len(b) * eps * jnp.eye(len(b), dtype=b.dtype)
    first = b ** (1 / (1 + beta))
    curve = matmul(first, matmul(C, first))
    first = first * (jnp.sum(b * first ** (1 - beta)) / jnp.where(curve > 0, curve, 1.0)) ** (1 / (1 + beta))

    def step(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        u, taken, _ = carry
        pull = b * u ** (-beta)
        slope = matmul(C, u) - pull
        # In units of u the Hessian is u C u + β b u^(1-β), positive definite whatever the scales.
        H = u[:, None] * C * u[None, :] + jnp.diag(beta * pull * u)
        factor = jnp.linalg.cholesky(H)
        relative = -jax.scipy.linalg.cho_solve((factor, True), u * slope)
        far = jnp.max(jnp.abs(relative))
        t = jnp.where(far < 0.3, 1.0, _best(C, b, beta, u, relative))
        return jnp.where(jnp.isfinite(far), u * (1 + t * relative), u), taken + 1, far

    def going(carry: tuple[Array, Array, Array]) -> Array:
        return (carry[2] > 4 * eps) & (carry[1] < MOST)

    u = jax.lax.while_loop(going, step, (first, jnp.int32(0), jnp.asarray(jnp.inf, b.dtype)))[0]
    return u + 0 * (jnp.sum(C) + jnp.sum(b))


def _best(C: Array, b: Array, beta: Array, u: Array, relative: Array) -> Array:
    """The step of lowest potential among halvings of the longest that keeps u positive."""
    low = jnp.min(relative)
    longest = jnp.minimum(1.0, jnp.where(low < 0, -0.9 / jnp.where(low < 0, low, -1.0), 1.0))
    steps = longest * 0.5 ** jnp.arange(10, dtype=u.dtype)

    def potential(t: Array) -> Array:
        v = u * (1 + t * relative)
        e = 1 - beta
        near = jnp.abs(e) < 1e-6
        power = jnp.expm1(jnp.where(near, 0.0, e) * jnp.log(v)) / jnp.where(near, 1.0, e)
        return 0.5 * matmul(v, matmul(C, v)) - jnp.sum(b * jnp.where(near, jnp.log(v), power))

    return steps[jnp.argmin(jax.vmap(potential)(steps))]
