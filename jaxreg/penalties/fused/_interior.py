"""A primal-dual interior point for box-constrained least squares: where the bounds of min ½‖Dᵀu - x‖² are active."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxreg._linalg import matmul
from jaxreg._typing import Array

_STEPS, _SHORT = 40, 0.99


class Point(NamedTuple):
    """Dual point u, multipliers of its upper and lower bound, complementarity, and whether it still improves."""

    u: Array
    upper: Array
    lower: Array
    mu: Array
    going: Array
    taken: Array


def active_bounds(D: Array, x: Array, strength: Array) -> tuple[Array, Array]:
    """u (m,) near the minimiser of ½‖Dᵀu - x‖² over |u| <= strength, and 1, -1 or 0 where a bound is active or none.

    Predictor and corrector steps (Mehrotra 1992) of a primal-dual interior point, as for trend filtering by Kim et al.
    (2009); it needs some 15 steps. Strengths must be positive and finite.
    """
    gram, pull = matmul(D, D.T), matmul(D, x)
    size = jnp.maximum(jnp.max(jnp.abs(pull), initial=0), jnp.finfo(x.dtype).tiny)
    eps = jnp.finfo(x.dtype).eps
    multiplier = jnp.full_like(strength, size)
    first = Point(0 * strength, multiplier, multiplier, size * jnp.mean(strength), size > 0, jnp.zeros((), jnp.int32))

    def step(p: Point) -> Point:
        new = _step(p, gram, pull, strength)
        better = jnp.all(jnp.isfinite(new.u)) & (new.mu < p.mu)
        kept = jax.tree.map(lambda a, b: jnp.where(better, a, b), new, p)
        goal = eps * eps * size * jnp.mean(strength)
        return kept._replace(going=better & (new.mu > goal), taken=p.taken + 1)

    end = jax.lax.while_loop(lambda p: p.going & (p.taken < _STEPS), step, first)
    above, below = end.upper > strength - end.u, end.lower > strength + end.u
    return end.u, jnp.where(above, 1.0, jnp.where(below, -1.0, 0.0)).astype(x.dtype)


def _step(p: Point, gram: Array, pull: Array, strength: Array) -> Point:
    """One factorisation, used twice: towards the bounds, then back to the centre with what that taught."""
    up, down = strength - p.u, strength + p.u
    slope = pull - matmul(gram, p.u)
    factor = jax.scipy.linalg.cho_factor(gram + jnp.diag(p.upper / up + p.lower / down), lower=True)

    def towards(above: Array, below: Array) -> tuple[Array, Array, Array]:
        du = jax.scipy.linalg.cho_solve(factor, slope - above / up + below / down)
        return du, (above + p.upper * du) / up - p.upper, (below - p.lower * du) / down - p.lower

    def reach(du: Array, dupper: Array, dlower: Array) -> Array:
        pairs = ((up, -du), (down, du), (p.upper, dupper), (p.lower, dlower))
        return jnp.min(jnp.stack([jnp.min(jnp.where(d < 0, -v / jnp.where(d < 0, d, 1.0), 1.0)) for v, d in pairs]))

    def complementarity(a: Array, du: Array, dupper: Array, dlower: Array) -> Array:
        return 0.5 * jnp.mean((p.upper + a * dupper) * (up - a * du) + (p.lower + a * dlower) * (down + a * du))

    mu = complementarity(jnp.zeros_like(p.mu), p.u, p.u, p.u)
    guess = towards(0 * up, 0 * down)
    centre = mu * (complementarity(jnp.minimum(reach(*guess), 1.0), *guess) / mu) ** 3
    du, dupper, dlower = towards(centre + guess[0] * guess[1], centre - guess[0] * guess[2])
    a = jnp.minimum(_SHORT * reach(du, dupper, dlower), 1.0)
    after = complementarity(a, du, dupper, dlower)
    return Point(p.u + a * du, p.upper + a * dupper, p.lower + a * dlower, after, p.going, p.taken)
