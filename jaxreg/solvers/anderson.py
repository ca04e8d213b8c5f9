"""Douglas-Rachford splitting of least squares and proxes, its fixed point found by Anderson acceleration."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from jaxreg import _tree
from jaxreg._linalg import einsum, matmul, solve_positive
from jaxreg._pytree import pytree, static
from jaxreg._typing import Array, PyTree
from jaxreg.penalties import Penalty
from jaxreg.risk import axis_of, thaw_axes
from jaxreg.solvers._problem import Smooth
from jaxreg.solvers._saddle import Splitting, saddle, start_duals

_WORSE = 4.0
_OFF, _FIRST = 4.0, 5.0
_SMALL, _SHARE = 1e-3, 0.3
_BETTER, _STUCK, _AGAIN = 0.99, 50, 5
_STILL, _LEAP, _FARTHEST = 1e-2, 1.0, 1e4
"""Where the best residual has not fallen by a hundredth in 50 updates, some go far along one that stays."""


@pytree
class Orthogonal:
    """Least squares with orthogonal rows: A with AAᵀ = diag(spectrum) in every task, and how often rows meet a leaf.

    `own` leaves have the task axis, `common` ones serve all tasks.
    """

    f: Smooth
    spectrum: Array
    own: int = static()
    common: int = static()

    def prox(self, z: PyTree, rho: Array) -> PyTree:
        """argmin f(x) + ρ/2 ‖x - z‖² = z - Aᵀ(ρI + AAᵀ)⁻¹(Az - b)."""
        rest, back = jax.vjp(lambda x: self.f.predictions(x) - self.f.data[1], z)
        heavy = 1 / (rho + self.own * self.f.rows * self.spectrum)
        half = jnp.sqrt(self.f.rows)
        scaled = _like(half, rest) * rest
        solved = _like(heavy, rest) * scaled
        if self.common:
            A = half[..., None] * self.f.data[0]
            pull = einsum("tqp,tq->p", A, solved)
            size = A.shape[-1]
            system = jnp.eye(size, dtype=A.dtype) / self.common + einsum("tqp,tq,tqr->pr", A, heavy, A)
            shift = solve_positive(system, pull[:, None])[:, 0]
            solved = solved - heavy * matmul(A, shift)
        return _tree.sub(z, back(_like(half, rest) * solved)[0])


def orthogonal(f: Smooth, params: PyTree) -> Orthogonal:
    """The problem with orthogonal rows: as it is where its spectrum is known, else turned by eigenvectors of AAᵀ."""
    axes = thaw_axes(f.risk.axes) if f.is_multitask else 0
    leaves = params if isinstance(params, dict) else {"": params}
    common = sum(axis_of(axes, name) is None for name in leaves)
    if f.spectrum is not None:
        return Orthogonal(f, f.spectrum, len(leaves) - common, common)
    X, y = f.data
    half = jnp.sqrt(f.rows)
    A, b = half[..., None] * X, _like(half, y) * y
    values, vectors = jnp.linalg.eigh(einsum("...qp,...rp->...qr", A, A))
    spec = "...qr,...qk->...rk" if y.ndim > half.ndim else "...qr,...q->...r"
    data = (einsum("...qr,...qp->...rp", vectors, A), einsum(spec, vectors, b))
    turned = Smooth(f.risk, data, jnp.ones_like(f.rows), f.constant)
    return Orthogonal(turned, jnp.maximum(values, 0.0), len(leaves) - common, common)


@pytree
class Memory:
    """The last moves of a point and of its residual, (memory, n), how many there are, and where they began."""

    moves: Array
    turns: Array
    count: Array
    point: Array
    residual: Array


@pytree
class AndersonState(Splitting):
    """prox_g, duals of other blocks, a point per block, step, problem, memory, best residual and its age, updates."""

    params: Any
    duals: Any
    point: Any
    step: Array
    problem: Orthogonal
    memory: Memory
    best: Array
    age: Array
    since: Array


@pytree
class AndersonSplitting:
    """Anderson-accelerated Douglas-Rachford splitting (Fu, Zhang and Boyd 2020) for least squares and any proxes.

    x = prox_{tf}(z), w = prox_{tg}(2x - z), and z⁺ is the affine combination of the last `memory` points whose
    residuals w - x nearly cancel (Anderson 1965; Walker and Ni 2011), or z + w - x where that fails, or a long step
    along a residual that stays as it was. f's prox is a closed form for every task; parts shared by all tasks add a
    system of p unknowns. A sum of m blocks with a prox each has m points z, x = prox_{tf/m} of their mean (Pierra
    1984). `step` t defaults to the ratio of primal to dual size, found on the way. Raises TypeError for anything
    but a linear model with squared loss and coefficients alone, or a penalty of a linear map.

    >>> import jax.numpy as jnp, numpy as np, jaxreg as jr
    >>> data = (jnp.eye(4), jnp.diag(jnp.array([3.0, 1.0, 0.0, 0.0])))
    >>> solver = jr.AndersonSplitting()
    >>> sol = jr.minimize(jr.risk(jr.linear, jr.Squared()), 0.125 * jr.Nuclear(), None, data, solver=solver)
    >>> np.asarray(jnp.diag(sol.params)).round(2).tolist()
    [2.5, 0.5, 0.0, 0.0]
    """

    step: Any = None
    memory: int = static(default=5)
    stride: int = static(default=5)
    patience: int = static(default=400)

    def init(self, f: Smooth, g: Penalty, params: PyTree) -> AndersonState:
        """Start from `params` and the gradient there."""
        if not f.is_squared or (isinstance(params, dict) and "intercept" in params):
            raise TypeError("AndersonSplitting solves linear models with Squared() loss; use FISTA() here.")
        s = saddle(f, g, params)
        if not s.is_whole:
            raise TypeError(f"AndersonSplitting() cannot solve this: {g!r} has a linear map. Use ADMM() or PDHG().")
        problem = orthogonal(f, params)
        grad = jax.grad(f)(params)
        step = _ratio(params, grad, _guess(problem, s.g, grad)) if self.step is None else jnp.asarray(self.step)
        step = step.astype(_tree.dtype(params))
        blocks = 1 + len(s.terms)
        point = (_tree.add_scale(params, step / blocks, grad),) * blocks
        flat = ravel_pytree(point)[0]
        none = jnp.zeros((self.memory, flat.size), flat.dtype)
        zero, far = jnp.zeros((), jnp.int32), jnp.asarray(jnp.inf, flat.dtype)
        memory = Memory(none, none, zero, flat, jnp.zeros_like(flat))
        return AndersonState(params, start_duals(s.terms, params), point, step, problem, memory, far, zero, zero)

    def update(self, f: Smooth, g: Penalty, state: AndersonState) -> AndersonState:
        """One prox of each, and the next points."""
        s, blocks = saddle(f, g, state.params), len(state.point)
        total = state.point[0]
        for other in state.point[1:]:
            total = _tree.add_scale(total, 1.0, other)
        x = state.problem.prox(_tree.scale(1 / blocks, total), blocks / state.step)
        copies = (x,) * blocks
        ws, duals = s.proxes(_tree.sub(copies, _tree.sub(state.point, copies)), state.step, state.duals)
        z, unravel = ravel_pytree(state.point)
        residual = ravel_pytree(_tree.sub(ws, copies))[0]
        size = jnp.sqrt(jnp.sum(jnp.square(residual)))
        lost = ~(size <= _WORSE * state.best)
        better = size < _BETTER * state.best
        age = jnp.where(better | lost, 0, state.age + 1)
        memory, new, leapt = _advance(state.memory, z, residual, lost, age >= _STUCK)
        age = jnp.where(leapt, _STUCK - _AGAIN, age)
        best = jnp.where(better, size, state.best)
        step = state.step
        if self.step is None:
            dual = _tree.scale(1 / step, _tree.sub(state.point, copies))
            wanted = _ratio(copies, dual, step)
            off = jnp.maximum(wanted / step, step / wanted)
            turn = ~lost & (off > _OFF) & (jnp.log2((1.0 + state.since) / _FIRST) % 1 == 0)
            moved = ravel_pytree(_tree.add_scale(copies, wanted, dual))[0]
            new = jnp.where(turn, moved, new)
            memory = _tree.where(turn, _emptied(memory, moved, jnp.zeros_like(moved)), memory)
            best, step = jnp.where(turn, jnp.inf, best), jnp.where(turn, wanted, step)
        return AndersonState(ws[0], duals, unravel(new), step, state.problem, memory, best, age, state.since + 1)


def _advance(memory: Memory, z: Array, residual: Array, lost: Array, stuck: Array) -> tuple[Memory, Array, Array]:
    """The next point; where the last was lost the plain step from the one before, with an empty memory.

    Far from the next kink the map may be a translation: where it is stuck, and the residual all but stays as it was,
    there is nothing to extrapolate, and the plain step is made as long as the change allows.
    """
    slots = memory.moves.shape[0]
    known, slot = memory.count > 0, memory.count % slots
    move, turn = jnp.where(known, z - memory.point, 0.0), jnp.where(known, residual - memory.residual, 0.0)
    moves, turns = memory.moves.at[slot].set(move), memory.turns.at[slot].set(turn)
    gram = matmul(turns, turns.T)
    slack = _slack(z.dtype) * jnp.trace(gram)
    system = gram + jnp.eye(slots, dtype=z.dtype) * jnp.where(slack > 0, slack, 1.0)
    mix = solve_positive(system, matmul(turns, residual)[:, None])[:, 0]
    ahead = z + residual - matmul(mix, moves + turns)
    ahead = jnp.where(jnp.all(jnp.isfinite(ahead)), ahead, z + residual)
    length, still = _stretch(residual, move, turn)
    leap = known & stuck & still
    kept = Memory(moves, turns, memory.count + 1, z, residual)
    back = memory.point + memory.residual
    new = jnp.where(lost, back, jnp.where(leap, z + length * residual, ahead))
    started = _emptied(memory, jnp.where(lost, back, z), jnp.where(lost, 0.0, residual))
    return _tree.where(lost | leap, started, kept), new, leap & ~lost


def _stretch(residual: Array, move: Array, turn: Array) -> tuple[Array, Array]:
    """How far a plain step may go before the residual is another, and whether that is far."""
    size, moved, turned = (jnp.sqrt(jnp.sum(jnp.square(x))) for x in (residual, move, turn))
    change = turned * jnp.maximum(size / moved, 1.0)
    return jnp.minimum(_LEAP * size / change, _FARTHEST), (size > 0) & (change <= _STILL * size)


def _emptied(memory: Memory, point: Array, residual: Array) -> Memory:
    none = jnp.zeros_like(memory.moves)
    return Memory(none, none, jnp.zeros_like(memory.count), point, residual)


def _slack(dtype: Any) -> float:
    """Tikhonov's part of the trace in the least-squares problem of the memory."""
    return 1e-6 if dtype == jnp.float64 else 1e-5


def _ratio(params: PyTree, grad: PyTree, default: Array) -> Array:
    """A part of ‖params‖/‖grad‖, `default` where either is zero."""
    up, down = _SHARE * jnp.sqrt(_tree.norm2(params)), jnp.sqrt(_tree.norm2(grad))
    known = (up > 0) & (down > 0) & jnp.isfinite(up / jnp.where(down > 0, down, 1.0))
    return jnp.where(known, up / jnp.where(down > 0, down, 1.0), default)


def _guess(problem: Orthogonal, g: Penalty, grad: PyTree) -> Array:
    """The ratio for the solution of next to no penalty, and the gradient at zero less what g's prox leaves of it."""
    curvature = jnp.mean(problem.f.rows * problem.spectrum)
    rho = jnp.where(curvature > 0, _SMALL * curvature, 1.0)
    pull = jax.tree.map(jnp.negative, grad)
    return _ratio(problem.prox(_tree.zeros_like(grad), rho), _tree.sub(pull, g.prox(pull, 1.0)), 1 / rho)


def _like(rows: Array, values: Array) -> Array:
    return jnp.reshape(rows, rows.shape + (1,) * (values.ndim - rows.ndim))
