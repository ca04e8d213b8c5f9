"""The prox of weighted pairwise distances, argmin_z ½‖z - x‖² + Σ_{s<t} bₛₜ ‖zₛ - zₜ‖, and its derivative.

The dual, min ½‖x - Σₜ λₛₜ‖² over ‖λₛₜ‖ <= bₛₜ with λ antisymmetric, has a gradient of Lipschitz constant T, the number
of rows, so that accelerated projected gradients (the accelerated AMA of Chi and Lange 2015) with restart (O'Donoghue
and Candès 2015) reach rounding in tens to hundreds of steps. Rows that it joins are made one, and a Newton step on what
is then a smooth equation takes off what rounding has left.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxreg._linalg import einsum, matmul
from jaxreg._typing import Array

_STEPS, _CG_STEPS = 2000, 200
_ROUGH = 1e-3


class _Dual(NamedTuple):
    """Dual point, extrapolated point, momentum, steps taken, and the largest move of the last step."""

    lam: Array
    point: Array
    momentum: Array
    taken: Array
    move: Array


@jax.custom_jvp
def fuse(x: Array, bounds: Array) -> Array:
    """The prox for rows x (T, n) and bounds (T, T), symmetric and >= 0, infinity allowed; joined rows are equal."""
    scale, y, b, point = _solved(x, bounds)
    joined = lengths(_raised(y, point)) <= b
    average, first = _components(joined & (bounds > 0))
    return _polish(matmul(average, x - scale * jnp.sum(point, axis=1))[first], x, bounds)


def flow_norm(u: Array, x: Array, weights: Array) -> Array:
    """The largest ‖λₛₜ‖/wₛₜ of flows with Σₜ λₛₜ = uₛ: at least the dual norm of u, about 1 where u is in ∂g(x).

    The flows are the prox's at x + u, and what those leave of u flows along the differences of a potential.
    """
    scale, _, _, point = _solved(x + u, weights)
    rest = u - scale * jnp.sum(point, axis=1)
    laplacian = jnp.diag(jnp.sum(weights, axis=1)) - weights
    potential = matmul(jnp.linalg.pinv(laplacian, hermitian=True), rest)
    flow = scale * point + weights[..., None] * _gaps(potential)
    return jnp.max(jnp.where(weights > 0, lengths(flow) / jnp.where(weights > 0, weights, 1.0), 0.0), initial=0)


def centred(u: Array, weights: Array) -> Array:
    """u less the mean of every connected component: all that differences along edges see."""
    return u - matmul(_components(weights > 0)[0].astype(u.dtype), u)


def _solved(x: Array, bounds: Array) -> tuple[Array, Array, Array, Array]:
    """A scale of x, the deviations of its rows and the bounds in that scale, and the dual point there."""
    size = x.shape[0]
    deviation = x - jnp.mean(x, axis=0, keepdims=True)
    top = jnp.max(jnp.abs(deviation), initial=0)
    scale = jnp.where(top == 0, 1.0, top)
    y, b = deviation / scale, bounds / scale
    tol = (16 + size) * jnp.finfo(x.dtype).eps

    def unfinished(state: _Dual) -> Array:
        return (state.move > tol) & (state.taken < _STEPS)

    zero = jnp.zeros((size, size, x.shape[1]), x.dtype)
    one, far = jnp.ones((), x.dtype), jnp.full((), jnp.inf, x.dtype)
    start = _Dual(zero, zero, one, jnp.zeros((), jnp.int32), far)
    return scale, y, b, jax.lax.while_loop(unfinished, lambda state: _advance(y, b, state), start).lam


def lengths(gaps: Array) -> Array:
    """Euclidean norms of the last axis, with derivative 0 at 0."""
    square = jnp.sum(jnp.square(gaps), axis=-1)
    return jnp.where(square == 0, 0.0, jnp.sqrt(jnp.where(square == 0, 1.0, square)))


def _raised(y: Array, point: Array) -> Array:
    """A gradient step on the dual, not yet projected."""
    return point + _gaps(y - jnp.sum(point, axis=1)) / y.shape[0]


def _gaps(z: Array) -> Array:
    return z[:, None, :] - z[None, :, :]


def _advance(y: Array, b: Array, state: _Dual) -> _Dual:
    raised = _raised(y, state.point)
    size = lengths(raised)
    inside = size <= b
    new = raised * jnp.where(inside, 1.0, jnp.where(inside, 0.0, b) / jnp.where(inside, 1.0, size))[..., None]
    turning = jnp.sum((state.point - new) * (new - state.lam)) > 0
    momentum = jnp.where(turning, 1.0, 0.5 * (1 + jnp.sqrt(1 + 4 * jnp.square(state.momentum))))
    push = jnp.where(turning, 0.0, (state.momentum - 1) / momentum)
    move = jnp.max(jnp.abs(new - state.point), initial=0) * y.shape[0]
    point = new + push * (new - state.lam)
    return _Dual(new, point, momentum.astype(y.dtype), state.taken + 1, move.astype(y.dtype))


def _components(joined: Array) -> tuple[Array, Array]:
    """The matrix that averages over connected rows, and the first row of each row's component."""
    size = joined.shape[0]
    reach = (joined | jnp.eye(size, dtype=bool)).astype(jnp.float32)
    for _ in range(math.ceil(math.log2(max(size, 2)))):
        reach = (matmul(reach, reach) > 0).astype(jnp.float32)
    return reach / jnp.sum(reach, axis=1, keepdims=True), jnp.argmax(reach, axis=1)


class _Equation(NamedTuple):
    """The optimality of z where rows that are one stay one, z - x + Σₜ bₛₜ (zₛ - zₜ)/‖zₛ - zₜ‖ = 0, linearised."""

    average: Array
    apart: Array
    toward: Array
    stiff: Array
    first: Array

    @classmethod
    def at(cls, z: Array, bounds: Array) -> _Equation:
        gaps = _gaps(z)
        size = lengths(gaps)
        apart = size > 0
        average, first = _components(~apart & (bounds > 0))
        safe = jnp.where(apart, size, 1.0)
        stiff = jnp.where(apart, bounds, 0.0) / safe
        return cls(average.astype(z.dtype), apart, gaps / safe[..., None], stiff, first)

    def right(self, dx: Array, dbounds: Array) -> Array:
        """What a change of x and of the bounds does to the equation."""
        pulls = jnp.where(self.apart, dbounds, 0.0)
        return matmul(self.average, dx - einsum("st,stn->sn", pulls, self.toward))

    def solve(self, right: Array, tol: float) -> Array:
        """The change of z that answers `right`."""

        def apply(v: Array) -> Array:
            d = _gaps(matmul(self.average, v))
            bent = d - self.toward * jnp.sum(self.toward * d, axis=-1, keepdims=True)
            return v + matmul(self.average, einsum("st,stn->sn", self.stiff, bent))

        def cg(matvec: Any, b: Array) -> Array:
            return jax.scipy.sparse.linalg.cg(matvec, b, tol=tol, maxiter=_CG_STEPS)[0]

        return jax.lax.custom_linear_solve(apply, right, cg, symmetric=True)


def _polish(z: Array, x: Array, bounds: Array) -> Array:
    """A Newton step, if it brings the equation nearer to zero."""
    here = _Equation.at(z, bounds)
    off = here.right(x - z, bounds)
    moved = (z + here.solve(off, _ROUGH))[here.first]
    still = _Equation.at(moved, bounds).right(x - moved, bounds)
    return jnp.where(jnp.max(jnp.abs(still)) < jnp.max(jnp.abs(off)), moved, z)


@fuse.defjvp
def _fuse_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    z = fuse(*primals)
    equation = _Equation.at(z, primals[1])
    return z, equation.solve(equation.right(*tangents), 8 * float(jnp.finfo(z.dtype).eps))
