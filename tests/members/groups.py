"""Members on groups of entries."""

from collections.abc import Callable
from typing import Any

import cvxpy as cp
import numpy as np

import jaxreg as jr
from members._member import MATRIX, PER_FEATURE, PER_TASK, VECTOR, Member
from members.elementwise import mcp, scad
from oracles import searched_prox

_GAMMAS = np.array([2.5, 3.0, 4.0, np.inf])
_finite_gammas = np.where(np.isinf(_GAMMAS), 1e12, _GAMMAS)


def _searched(g: Callable[[Any], Any], axis: int | None = None) -> Callable[[np.ndarray, Any], np.ndarray]:
    """The norms moved by a search over a grid, the directions kept."""

    def prox(x: np.ndarray, step: Any) -> np.ndarray:
        norm = np.sqrt(np.sum(x**2, axis=axis, keepdims=True))
        return x / norm * searched_prox(g, norm, step)

    return prox


MEMBERS = (
    Member("l2-all", jr.L2(), VECTOR, lambda z: (cp.norm(z, 2), [])),
    Member("l2-rows", jr.L2(axis=0), MATRIX, lambda z: (cp.sum(cp.norm(z, 2, axis=0)), [])),
    Member(
        "l2-per-feature",
        PER_FEATURE * jr.L2(axis=0),
        MATRIX,
        lambda z: (cp.norm(z, 2, axis=0) @ PER_FEATURE, []),
    ),
    Member("group-mcp", jr.GroupMCP(1.0, 3.0), VECTOR, slow=_searched(lambda r: mcp(r, 1.0, 3.0))),
    Member(
        "group-mcp-per-feature",
        0.7 * jr.GroupMCP(PER_FEATURE, _GAMMAS, axis=0),
        MATRIX,
        slow=_searched(lambda r: 0.7 * mcp(r, PER_FEATURE, _finite_gammas), 0),
    ),
    Member("group-scad", jr.GroupSCAD(0.5, 3.7), VECTOR, slow=_searched(lambda r: scad(r, 0.5, 3.7))),
    Member(
        "group-scad-per-task",
        PER_TASK * jr.GroupSCAD(PER_TASK, 2.5, axis=1),
        MATRIX,
        slow=_searched(lambda r: PER_TASK * scad(r, PER_TASK, 2.5), 1),
    ),
    Member(
        "group-mcp-sparse",
        jr.GroupMCP(1.0, 3.0) + 0.3 * jr.L1(),
        VECTOR,
        slow=lambda x, step: _searched(lambda r: mcp(r, 1.0, 3.0))(
            np.sign(x) * np.maximum(np.abs(x) - 0.3 * step, 0.0), step
        ),
    ),
)
