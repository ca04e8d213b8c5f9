"""A path problem once it is checked: what is fitted, by which way, and over which strengths."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp

from jaxreg import _tree, _validate
from jaxreg._typing import Array, PyTree
from jaxreg.paths._blocks import Vector, vector_problem
from jaxreg.paths._design import Sparse
from jaxreg.paths._grid import check_strengths, default_ratio, is_gauge, smooth_grid, spaced, top_strength
from jaxreg.paths._null import null_top, squared_null_top
from jaxreg.paths._routes import Way, choose_way
from jaxreg.paths._row_norms import Rows
from jaxreg.paths._sparse import is_sparse, prepare_sparse
from jaxreg.penalties import Penalty
from jaxreg.risk import MultitaskRisk, Risk
from jaxreg.solvers._loop import Solver
from jaxreg.solvers._problem import Smooth, bind
from jaxreg.solvers.minimize import choose, prepare


class Posed(NamedTuple):
    """Risk, penalty, data, weights and start as they are fitted, the bound risk, the route and the solver.

    `data` begins with an array, which is the caller's own on the host for a route that reads it there, or with
    `Sparse` features; f then has none.
    """

    risk: Risk | MultitaskRisk
    penalty: Penalty
    data: Any
    weights: Array
    init: PyTree
    f: Smooth
    way: Way
    solver: Solver


def pose(
    where: str,
    risk: Risk | MultitaskRisk,
    penalty: Penalty,
    init: PyTree | None,
    data: Any,
    weights: Any,
    solver: Solver | Literal["auto"] | None,
    route: str | None,
) -> Posed:
    """Check everything and choose the route. Raises TypeError or ValueError for what cannot be used, naming it."""
    if is_sparse(data):
        return _pose_sparse(where, risk, penalty, init, data, weights, solver, route)
    data, w, penalty, init = prepare(where, risk, penalty, init, data, weights, keep=True)
    f = bind(risk, data, w)
    way = choose_way(where, route, f, penalty, init, solver)
    if not (_reads_the_host(way) and _validate.on_host(w)):
        data = jax.tree.map(_validate.private, data[0]), data[1]
        f = dataclasses.replace(f, data=data)
    return Posed(risk, penalty, data, w, init, f, way, choose(f, penalty, init, solver))


def _reads_the_host(way: Way) -> bool:
    """Whether X stays where it lies: a route that asks for products and columns alone, strengths included."""
    return way.route in ("moments", "working set") and isinstance(way.vector, (Vector, Rows)) and way.vector.part.gauge


def _pose_sparse(
    where: str, risk: Any, penalty: Penalty, init: Any, data: Any, weights: Any, solver: Any, route: str | None
) -> Posed:
    data, w, penalty, init = prepare_sparse(where, risk, penalty, init, data, weights)
    f = bind(risk, (jnp.zeros((len(w), 0), w.dtype), data[1]), w)
    vector = vector_problem(f, penalty, init)
    if vector is None or not vector.part.dualisable or solver not in (None, "auto"):
        raise TypeError(
            f"{where}: sparse X is fitted by working sets, which serve smooth losses of one output with a dual bound, "
            f"such as Squared() and Logistic(), a convex elementwise penalty that thresholds, such as L1(), and "
            f"solver=None; given {risk.loss!r}, {penalty!r} and {solver!r}. Densify with X.toarray() for others."
        )
    if route not in (None, "working set"):
        raise ValueError(f"{where}: route is {route!r}, expected 'working set' or None for sparse X.")
    return Posed(risk, penalty, data, w, init, f, Way("working set", vector), choose(f, penalty, init))


def strengths_for(where: str, posed: Posed, strengths: Any, num: int, ratio: float | None) -> Array:
    """The strengths given, or the default grid for this problem."""
    if strengths is not None:
        return check_strengths(where, strengths, _tree.dtype(posed.init))
    gauge = is_gauge(posed.penalty, posed.init)
    below = default_ratio(gauge, ratio)
    if num < 1 or not 0 < below <= 1:
        raise ValueError(f"{where}: num is {num} and ratio {below}, expected num >= 1 and 0 < ratio <= 1.")
    top = jnp.asarray(top_of_problem(where, posed, gauge), _tree.dtype(posed.init))
    return spaced(jnp.where(top > 0, top, 1.0), num, below)


def top_of_problem(where: str, posed: Posed, gauge: bool) -> Any:
    """The strength a path begins with: where everything is excluded, or almost."""
    design = posed.data[0] if isinstance(posed.data[0], Sparse) else None
    quick = null_top(posed.f, posed.penalty, posed.init, design)
    if quick is None and design is None:
        quick = squared_null_top(posed.f, posed.penalty, posed.init)
    if quick is not None:
        return quick
    if design is not None:
        raise ValueError(
            f"{where}: no strength of {posed.penalty!r} is known to exclude all features of sparse X; choose strengths "
            "yourself, for instance strengths=numpy.geomspace(1, 1e-3, 50)."
        )
    return _grid_top(posed.f, posed.penalty, posed.solver, posed.init, gauge)


def _top_of(f: Smooth, penalty: Penalty, solver: Solver, init: PyTree, gauge: bool) -> Array:
    return top_strength(f, penalty, solver, init) if gauge else smooth_grid(f, init)


_grid_top = jax.jit(_top_of, static_argnums=4)
