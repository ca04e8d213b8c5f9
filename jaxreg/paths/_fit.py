"""Every fold's training rows and the whole sample over all strengths, by the way chosen."""

from __future__ import annotations

import warnings

import numpy as np

from jaxreg import _validate
from jaxreg._typing import Array
from jaxreg.paths._blocks import Lanes, Vector, assemble, statuses
from jaxreg.paths._design import Sparse, as_design
from jaxreg.paths._glm_lanes import by_glm_lanes
from jaxreg.paths._glm_sets import GlmLanes
from jaxreg.paths._gram import by_moments
from jaxreg.paths._knots import Tasks, by_task_moments
from jaxreg.paths._lanes import fit_lanes
from jaxreg.paths._posed import Posed
from jaxreg.paths._row_norms import Rows, by_row_moments
from jaxreg.paths._row_sets import RowLanes
from jaxreg.paths._squared_sets import SquaredLanes
from jaxreg.paths._working_set import Model, by_working_sets
from jaxreg.solvers._loop import Solution

_DENSE = 1024
"""Wide data of more features are solved on their rows: a Gram matrix of all of them per lane is too large."""


def fit_all(
    posed: Posed, masks: np.ndarray | None, order: np.ndarray | None, strengths: Array, tol: Array, max_steps: int
) -> tuple[Lanes, str]:
    """Fit all lanes over all strengths; with the route that did it."""
    route, vector = posed.way
    sparse, squared = isinstance(posed.data[0], Sparse), posed.f.is_squared
    instead = {"working set": "rows" if squared else "generic", "newton": "generic"}.get(route, route)
    if vector is None or _validate.traced(strengths, tol):
        return _generic(posed, instead, masks, order, strengths, tol, max_steps)
    grid, every = np.asarray(strengths), lane_weights(np.asarray(posed.weights), masks)
    found = None
    if route == "working set" and (sparse or grid[-1] > 0):
        found = by_working_sets(_model(posed, every, masks), masks is not None, grid, tol)
    elif route == "newton" and isinstance(vector, Vector):
        found = by_glm_lanes(posed.risk, posed.data, posed.weights, masks, order, vector, grid, tol)
    if found is None and sparse:
        raise ValueError(
            "Of sparse X more features are in use at once than a working set holds (some 3 000): end with larger "
            "strengths, by `ratio` or `strengths`, or densify with X.toarray()."
        )
    if found is None:
        route = instead
        if not squared or (posed.data[0].shape[1] > _DENSE and route == "rows"):
            return _generic(posed, route, masks, order, strengths, tol, max_steps)
        sample = posed.data, posed.weights, masks, order
        if isinstance(vector, Tasks):
            found = by_task_moments(posed.risk, *sample, vector, grid)
        elif isinstance(vector, Rows):
            found = by_row_moments(*sample, vector, grid, tol)
        else:
            found = by_moments(*sample, vector, grid, tol)
    return Lanes(_finished(posed, every, grid, found[0], tol, max_steps), found[1]), route


def tell_route(where: str, forced: str | None, taken: str, strengths: Array, tol: Array) -> None:
    """Warn that another route was taken than the one that was forced, and why."""
    if forced in (None, taken):
        return
    why = "more features are in use at once than a working set holds"
    if _validate.traced(strengths, tol):
        why = "strengths or tol are traced"
    elif float(strengths[-1]) == 0:
        why = "strength 0 excludes no feature"
    warnings.warn(f"{where}: route {forced!r} cannot serve, for {why}; {taken!r} is taken.", UserWarning, stacklevel=3)


def lane_weights(weights: np.ndarray, masks: np.ndarray | None) -> np.ndarray:
    """The sample weights of every lane: each fold's training rows, then all rows."""
    if masks is None:
        return weights[None]
    return np.concatenate([np.where(masks, 0, weights[None]), weights[None]]).astype(weights.dtype)


def _model(posed: Posed, every: np.ndarray, masks: np.ndarray | None) -> Model:
    (X, y), vector = posed.data, posed.way.vector
    assert vector is not None and not isinstance(vector, Tasks)
    if isinstance(vector, Rows):
        return RowLanes(posed.data, posed.weights, masks, vector)
    if not posed.f.is_squared:
        return GlmLanes(posed.risk, as_design(X), y, every, masks, vector)
    return SquaredLanes(posed.data, posed.weights, masks, vector)


def _generic(
    posed: Posed,
    route: str,
    masks: np.ndarray | None,
    order: np.ndarray | None,
    strengths: Array,
    tol: Array,
    max_steps: int,
) -> tuple[Lanes, str]:
    problem = posed.risk, posed.penalty, posed.solver, posed.data, posed.weights
    return fit_lanes(*problem, masks, order, strengths, posed.init, tol, route, max_steps), route


def _finished(
    posed: Posed, every: np.ndarray, grid: np.ndarray, found: Solution, tol: Array, max_steps: int
) -> Solution:
    if isinstance(posed.data[0], Sparse):
        return statuses(found, tol)
    return assemble(posed.risk, posed.penalty, posed.solver, posed.data, every, grid, found, tol, max_steps)
