"""The one loop: run a solver until its certificate is good enough, and say per lane how it ended."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any, Protocol

import jax
import jax.numpy as jnp

from jaxreg import _tree
from jaxreg._pytree import pytree
from jaxreg._typing import Array, PyTree
from jaxreg.penalties import Leafwise, Penalty
from jaxreg.solvers._certificate import Reference, certify, reference
from jaxreg.solvers._problem import Smooth
from jaxreg.solvers._saddle import Splitting, able, saddle
from jaxreg.solvers._terms import Dual

_FLOOR = 256
"""The smallest tolerance in units of rounding: 3e-5 in float32, 6e-14 in float64. Below it certificates are noise."""

MARGIN = 0.5
"""Reduced problems are solved to this part of the tolerance, for what rounding adds on the way to the data's gap."""


class Status(enum.IntEnum):
    """How a fit ended; one number per lane in every result.

    >>> import jaxreg as jr
    >>> jr.Status(0).name
    'CONVERGED'
    """

    CONVERGED = 0
    MAX_STEPS = 1
    NONFINITE = 2
    DIVERGED = 3
    INVALID_INPUT = 4
    EMPTY = 5
    STALLED = 6


@pytree
class Solution:
    """A fit: parameters, the whole objective, its relative gap, steps taken and a `Status` number, per lane.

    `gap` is (primal - dual) / max(|objective at zero|, tiny), or the scaled KKT residual where no dual bound is known.
    Zero means zero coefficients: with squared loss a free intercept is at its own fit, so that shifting the targets
    changes nothing.
    """

    params: Any
    value: Array
    gap: Array
    steps: Array
    status: Array


class State(Protocol):
    """What the loop reads of a solver's state."""

    params: Any
    step: Array


Judge = Callable[[PyTree, tuple[Dual, ...]], tuple[Array, Array]]


class Solver(Protocol):
    """`init(f, g, x)` and `update(f, g, state)`, data already bound in f.

    A certificate is taken every `stride` updates; after `patience` of them without progress the fit has stalled.
    """

    @property
    def stride(self) -> int: ...
    @property
    def patience(self) -> int: ...
    def init(self, f: Smooth, g: Penalty, params: PyTree) -> Any: ...
    def update(self, f: Smooth, g: Penalty, state: Any) -> Any: ...


@pytree
class _Carry:
    steps: Array
    state: Any
    gap: Array
    params: Any
    duals: Any
    value: Array
    best: Array
    since: Array


def least_tolerance(dtype: Any) -> float:
    """The smallest tolerance that rounding allows."""
    return _FLOOR * float(jnp.finfo(dtype).eps)


def floored(tol: Array) -> Array:
    """The tolerance, or the smallest one that rounding allows."""
    return jnp.maximum(tol, least_tolerance(tol.dtype))


def run(
    f: Smooth,
    g: Penalty,
    solver: Solver,
    init: PyTree,
    tol: Array,
    max_steps: int,
    objective: Array | None = None,
    judge: Judge | None = None,
) -> Solution:
    """Iterate from `init` to a gap of `tol`; the parameters with the best certificate so far are returned.

    `objective` replaces |f + g| at zero as the scale of the gap. For a problem reduced from another, `judge` gives the
    value and the gap of its parameters and duals on the other one.
    """
    return run_with_duals(f, g, solver, init, tol, max_steps, objective, judge)[0]


def run_with_duals(
    f: Smooth,
    g: Penalty,
    solver: Solver,
    init: PyTree,
    tol: Array,
    max_steps: int,
    objective: Array | None = None,
    judge: Judge | None = None,
) -> tuple[Solution, tuple[Dual, ...]]:
    """As `run`, with the dual variables of a splitting solver's terms."""
    started = g.split(init)[0].prox(init, 0.0)
    init = jax.tree.map(lambda z, x: jnp.where(jnp.isnan(z), x, z), started, init)  # a prox may divide by its step
    tol = floored(tol)
    ref = reference(f, g, init)
    ref = ref if objective is None else Reference(objective, ref.gradient)
    stride = min(solver.stride, max_steps)
    start = solver.init(f, g, init)
    if not isinstance(start, Splitting):
        need_one_prox(f, g, solver, init)
    duals = _duals(start)

    def judged(params: PyTree, step: Array, duals: tuple[Dual, ...]) -> tuple[Array, Array]:
        return certify(f, g, params, ref, step, duals) if judge is None else judge(params, duals)

    value, gap = judged(init, start.step, duals)
    zero = jnp.zeros((), jnp.int32)
    first = _Carry(zero, start, gap, init, duals, value, gap, zero)

    def going(c: _Carry) -> Array:
        return (c.best > tol) & ~jnp.isnan(c.gap) & (c.steps < max_steps) & (c.since < solver.patience)

    def body(c: _Carry) -> _Carry:
        state = jax.lax.fori_loop(0, stride, lambda _, s: solver.update(f, g, s), c.state)
        duals = _duals(state)
        value, gap = judged(state.params, state.step, duals)
        gap = jnp.where(_tree.all_finite(state.params), gap, jnp.nan)
        better = gap < c.best
        return _Carry(
            c.steps + stride,
            state,
            gap,
            _tree.where(better, state.params, c.params),
            _tree.where(better, duals, c.duals),
            jnp.where(better, value, c.value),
            jnp.where(better, gap, c.best),
            jnp.where(gap < 0.99 * c.best, 0, c.since + 1),
        )

    end = jax.lax.while_loop(going, body, first) if max_steps else first
    status = _status(f, g, end, gap, tol, max_steps, solver.patience)
    return Solution(end.params, end.value, end.best, end.steps, status), end.duals


def _duals(state: Any) -> tuple[Dual, ...]:
    return state.duals if isinstance(state, Splitting) else ()


def need_one_prox(f: Smooth, g: Penalty, solver: Solver, params: PyTree) -> None:
    """Raise TypeError for a problem that must be split, naming the solvers that do."""
    s = saddle(f, g, params)
    if s.terms:
        what = f"{f.risk.loss!r} has no gradient" if s.fitted else f"{g!r} has no prox as a whole"
        raise TypeError(f"{type(solver).__name__}() cannot solve this: {what}. Use {able(f, s)}, or solver='auto'.")


def _status(f: Smooth, g: Penalty, end: _Carry, first: Array, tol: Array, max_steps: int, patience: int) -> Array:
    """Converged only by `gap <= tol`; a NaN never passes as converged."""
    status = jnp.where(end.since >= patience, Status.STALLED, Status.MAX_STEPS)
    status = jnp.where(end.gap > 1e3 * jnp.maximum(first, 1.0), Status.DIVERGED, status)
    status = jnp.where(jnp.isnan(end.gap), Status.NONFINITE, status)
    status = jnp.where(end.best <= tol, Status.CONVERGED, status)
    status = jnp.where(jnp.any(f.rows != 0), status, Status.EMPTY)
    usable = valid(g, end.params) & ~jnp.any(jnp.isnan(f.rows))
    return jnp.where(usable, status, Status.INVALID_INPUT).astype(jnp.int8)


def valid(g: Penalty, params: PyTree) -> Array:
    """Whether no strength is negative or NaN, decided while tracing."""
    parts = g.parts(_tree.names(params)) if isinstance(g, Leafwise) else ()
    floors = [jnp.asarray(p.leaf_floor()) >= 0 for p in parts if p is not None]
    return jnp.all(jnp.stack(floors)) if floors else jnp.array(True)
