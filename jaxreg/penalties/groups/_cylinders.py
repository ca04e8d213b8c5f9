"""Projection onto an intersection of cylinders ‖u_g‖ <= r_g: an interior point in one multiplier per group."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxreg._linalg import matmul
from jaxreg._typing import Array

_INNER_STEPS, _EXACT_STEPS = 50, 8
_SHORT = 0.99


class Cylinders(NamedTuple):
    """Minimise ½ Σⱼ vⱼ²/(δ + Λⱼ) + Σ_g y_g/2 over y >= 0, with Λ = yA and A the memberships over squared radii.

    v (n,) are magnitudes of at most 1, A is (G, n) and δ >= 0. At the minimum u = v/(δ + Λ) is the projection of v/δ
    (for δ = 0 the maximiser of <v, u>), and y_g > 0 only where ‖u_g‖ = r_g.
    """

    sizes: Array
    share: Array
    delta: Array

    def strain(self, y: Array) -> Array:
        """‖u_g‖²/r_g²: 1 less twice the slope of the objective."""
        return matmul(self.share, jnp.square(self._inside(y)[0]))

    def bend(self, y: Array) -> Array:
        """The Hessian of the objective."""
        u, reach = self._inside(y)
        return matmul(self.share * (jnp.square(u) / reach)[None], self.share.T)

    def cover(self, y: Array) -> Array:
        """Λ."""
        return matmul(y, self.share)

    def _inside(self, y: Array) -> tuple[Array, Array]:
        reach = self.delta + self.cover(y)
        safe = jnp.where(reach > 0, reach, 1.0)
        return jnp.where(reach > 0, self.sizes / safe, 0.0), safe


def multipliers(problem: Cylinders) -> Array:
    """The minimiser y, exact to rounding and with exact zeros; its derivative is that of its active constraints.

    Primal-dual steps from the inside (Nesterov and Nemirovskii 1994; Mehrotra 1992) tell which constraints hold with
    equality, and Newton's steps on those end the work (projected Newton: Mosci et al. 2010).
    """
    fixed = Cylinders(*(jax.lax.stop_gradient(v) for v in problem))
    y, slack, scale = _from_inside(fixed)
    idle = (jnp.max(fixed.strain(jnp.zeros_like(y)), initial=0) <= 1) & (fixed.delta > 0)
    y = jnp.where((y > slack * scale) & (scale > 0) & ~idle, y, 0.0)  # a group of zeros never holds
    y = jax.lax.fori_loop(0, _EXACT_STEPS, lambda _, y: _refined(fixed, y), y)
    y = jax.lax.stop_gradient(y)
    moved = _solved(fixed.bend(y), y > 0, 0.5 * (problem.strain(y) - 1.0))
    return y + (moved - jax.lax.stop_gradient(moved))


def _from_inside(problem: Cylinders) -> tuple[Array, Array, Array]:
    """Multipliers and slopes on the central path, both positive, and what multipliers are measured by."""
    sums = matmul(problem.share > 0, jnp.square(problem.sizes))
    radii = jax.lax.rsqrt(jnp.max(problem.share, axis=1))
    scale = jnp.sqrt(sums) * radii
    top = jnp.max(scale, initial=0)
    start = jnp.maximum(scale, 1e-2 * jnp.where(top > 0, top, 1.0))
    start = start * jnp.sqrt(jnp.maximum(jnp.max(problem.strain(start), initial=0), 1e-4))
    slack = jnp.maximum(0.5 * (1 - problem.strain(start)), 0.05)
    whole, tol = jnp.sum(start), 100 * jnp.finfo(start.dtype).eps

    def going(carry: tuple[Any, ...]) -> Array:
        return (carry[2] > tol) & (carry[3] < _INNER_STEPS)

    def body(carry: tuple[Any, ...]) -> tuple[Any, ...]:
        y, s = _inner_step(problem, carry[0], carry[1])
        off = jnp.max(jnp.abs(0.5 * (1 - problem.strain(y)) - s), initial=0)
        return y, s, jnp.maximum(jnp.mean(y * s) / whole, off), carry[3] + 1

    init = (start, slack, jnp.full((), jnp.inf, start.dtype), jnp.zeros((), jnp.int32))
    y, slack, *_ = jax.lax.while_loop(going, body, init)
    return y, slack, scale


def _inner_step(problem: Cylinders, y: Array, s: Array) -> tuple[Array, Array]:
    """Towards slope = s, y s = σμ; σ from how far the step for σ = 0 would get (Mehrotra 1992)."""
    slope, mu = 0.5 * (1 - problem.strain(y)), jnp.mean(y * s)
    matrix, every = problem.bend(y) + jnp.diag(s / y), jnp.ones(y.shape, bool)

    def direction(target: Array) -> tuple[Array, Array, Array]:
        dy = _solved(matrix, every, target / y - slope, rough=4.0 * y.size)
        ds = target / y - s - s / y * dy
        return dy, ds, jnp.minimum(1.0, _SHORT * jnp.minimum(_room(y, dy), _room(s, ds)))

    dy, ds, t = direction(jnp.zeros_like(mu))
    left = jnp.mean((y + t * dy) * (s + t * ds)) / mu
    dy, ds, t = direction(left**3 * mu)
    return y + t * dy, s + t * ds


def _room(z: Array, dz: Array) -> Array:
    """The largest step that keeps z >= 0."""
    down = dz < 0
    return jnp.min(jnp.where(down, -z / jnp.where(down, dz, -1.0), jnp.inf), initial=jnp.inf)


def _refined(problem: Cylinders, y: Array) -> Array:
    """A Newton step of 1/‖u_g‖ = 1/r_g, concave in y, on the constraints that hold or are broken."""
    strain = problem.strain(y)
    move = _solved(problem.bend(y), (y > 0) | (strain > 1), strain * (jnp.sqrt(strain) - 1.0))
    return jnp.maximum(y + move, 0.0)


def _solved(matrix: Array, free: Array, right: Array, rough: float | None = None) -> Array:
    """The system on the free unknowns, a little damped where it is singular because groups are redundant."""
    eps = float(jnp.finfo(matrix.dtype).eps)
    size = jnp.sqrt(jnp.diagonal(matrix))
    live = free & (size > 0)
    scale = jnp.where(live, 1 / jnp.where(live, size, 1.0), 0.0)
    damping = rough * eps if rough else eps ** (2 / 3)
    unit = matrix * scale[:, None] * scale[None, :] + jnp.diag(jnp.where(live, damping, 1.0))
    factor = jax.scipy.linalg.cho_factor(unit, lower=True)
    return scale * jax.scipy.linalg.cho_solve(factor, scale * right)
