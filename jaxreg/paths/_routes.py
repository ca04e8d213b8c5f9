"""Which way a path is computed."""

from __future__ import annotations

from typing import Literal, NamedTuple

from jaxreg._typing import PyTree
from jaxreg.paths._blocks import Vector, vector_problem
from jaxreg.paths._knots import Tasks, tasks_problem
from jaxreg.paths._lanes import way_of
from jaxreg.paths._row_norms import Rows, rows_problem
from jaxreg.penalties import Penalty
from jaxreg.solvers._loop import Solver
from jaxreg.solvers._problem import Smooth

_NARROW = 256
"""So few features are solved all at once."""

_SQUARE = 2048
"""With at most so many features and half as many rows, one X'X costs less than a Gram matrix per working set."""


class Way(NamedTuple):
    """A route, and the problem of active sets, of norms of rows or of lassos per task where they serve it."""

    route: str
    vector: Vector | Rows | Tasks | None


def choose_way(
    where: str, route: str | None, f: Smooth, penalty: Penalty, init: PyTree, solver: Solver | Literal["auto"] | None
) -> Way:
    """The route asked for, or the fastest one. Raises ValueError for one that does not exist or cannot serve."""
    natural = way_of(f, penalty, init)
    vector: Vector | Rows | None = None
    if solver in (None, "auto"):
        vector = vector_problem(f, penalty, init) or rows_problem(f, penalty, init)
    can = {"generic", natural} | ({"working set"} if vector else set())
    if isinstance(vector, Vector) and not f.is_squared:
        can |= {"newton"}
    if vector is not None and f.is_squared:
        can |= {"moments", "rows"}
    if route is None:
        route = natural if vector is None or natural == "moments" else _for_sets(natural, f, vector)
    if route not in can:
        raise ValueError(f"{where}: route is {route!r}, expected one of {sorted(can)} for this problem, or None.")
    if route == "moments" and vector is None and solver in (None, "auto"):
        return Way(route, tasks_problem(f, penalty, init))
    return Way(route, None if route == "generic" else vector)


def _for_sets(natural: str, f: Smooth, vector: Vector | Rows) -> str:
    """The route of a wide problem that working sets could serve."""
    rows, features = f.data[0].shape
    if isinstance(vector, Vector) and f.is_squared and features <= min(_SQUARE, 2 * rows):
        return "moments"
    if isinstance(vector, Rows) or features > _NARROW:
        return "working set"
    return natural if f.is_squared else "newton"
