"""Which way a path is computed, and the call that does it."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from jaxreg import _validate
from jaxreg._typing import Array, Data, PyTree
from jaxreg.paths._blocks import Lanes, Vector, assemble, vector_problem
from jaxreg.paths._gram import by_moments
from jaxreg.paths._lanes import fit_lanes, way_of
from jaxreg.paths._working_set import NARROWEST, by_working_sets
from jaxreg.penalties import Penalty
from jaxreg.risk import MultitaskRisk, Risk
from jaxreg.solvers._loop import Solver
from jaxreg.solvers._problem import Smooth

_DENSE = 1024
"""Wide data of more features are solved on their rows: a Gram matrix of all of them per lane is too large."""


class Way(NamedTuple):
    """A route, and the vector problem of active sets where they serve it."""

    route: str
    vector: Vector | None


def choose_way(
    where: str, route: str | None, f: Smooth, penalty: Penalty, init: PyTree, solver: Solver | Literal["auto"] | None
) -> Way:
    """The route asked for, or the fastest one. Raises ValueError for one that does not exist or cannot serve."""
    natural = way_of(f, penalty, init)
    vector = vector_problem(f, penalty, init) if solver in (None, "auto") else None
    can = {"generic", natural} | ({"moments", "rows", "working set"} if vector else set())
    if route is None:
        wide = vector is not None and natural == "rows" and f.data[0].shape[1] > NARROWEST
        return Way("working set" if wide else natural, vector)
    if route not in can:
        raise ValueError(f"{where}: route is {route!r}, expected one of {sorted(can)} for this problem, or None.")
    return Way(route, None if route == "generic" else vector)


def fit_all(
    way: Way,
    risk: Risk | MultitaskRisk,
    penalty: Penalty,
    solver: Solver,
    data: Data,
    weights: Array,
    masks: np.ndarray | None,
    order: np.ndarray | None,
    strengths: Array,
    init: PyTree,
    tol: Array,
    max_steps: int,
) -> tuple[Lanes, str]:
    """Fit every fold's training rows and the whole sample over all strengths; with the route that did it."""
    if way.vector is None or _validate.traced(strengths, tol):
        lanes = fit_lanes(
            risk, penalty, solver, data, weights, masks, order, strengths, init, tol, way.route, max_steps
        )
        return lanes, way.route
    grid = np.asarray(strengths)
    route, found = way.route, None
    if route == "working set" and grid[-1] > 0:
        found = by_working_sets(data, weights, masks, way.vector, grid, tol)
    if found is None:
        route = "rows" if route == "working set" else route
        if data[0].shape[1] > _DENSE and route == "rows":
            lanes = fit_lanes(
                risk, penalty, solver, data, weights, masks, order, strengths, init, tol, route, max_steps
            )
            return lanes, route
        found = by_moments(data, weights, masks, order, way.vector, grid, tol)
    every = lane_weights(np.asarray(weights), masks)
    fits = assemble(risk, penalty, data, every, grid, found[0], tol, max_steps)
    return Lanes(fits, found[1]), route


def lane_weights(weights: np.ndarray, masks: np.ndarray | None) -> np.ndarray:
    """The sample weights of every lane: each fold's training rows, then all rows."""
    if masks is None:
        return weights[None]
    return np.concatenate([np.where(masks, 0, weights[None]), weights[None]]).astype(weights.dtype)
