"""Members that compare neighbours."""

import cvxpy as cp
import numpy as np

import jaxreg as jr
from members._member import MATRIX, VECTOR, Member

PER_EDGE = np.array([0.5, 0.0, 2.0, 0.1, np.inf])


def _tv(z, axis=-1):
    return cp.sum(cp.abs(cp.diff(z, axis=axis % z.ndim)))


CYCLE = ((0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 0), (0, 3))
CYCLE_WEIGHTS = np.array([0.5, 1.0, 0.0, 2.0, 0.25, 1.0, 0.75])
TASKS = ((0, 1), (0, 2), (3, 0), (1, 2))


def _graph(z, edges, weights):
    return sum(w * cp.abs(z[i] - z[j]) for w, (i, j) in zip(weights, edges, strict=True))


MEMBERS: tuple[Member, ...] = (
    Member("tv1d", jr.TV1D(), VECTOR, lambda z: (_tv(z), [])),
    Member("tv1d-tasks", 0.7 * jr.TV1D(axis=0), MATRIX, lambda z: (0.7 * _tv(z, 0), [])),
    Member(
        "tv1d-per-edge",
        PER_EDGE * jr.TV1D(),
        VECTOR,
        lambda z: (PER_EDGE[:4] @ cp.abs(cp.diff(z[:5])), [z[4] == z[5]]),
    ),
    Member("fused-lasso", 0.5 * jr.TV1D() + 0.3 * jr.L1(), VECTOR, lambda z: (0.5 * _tv(z) + 0.3 * cp.norm1(z), [])),
    Member(
        "fused-positive-elastic-net",
        jr.NonNegative() + 0.3 * jr.L1() + 0.5 * jr.TV1D() + 0.4 * jr.Ridge(),
        VECTOR,
        lambda z: (0.5 * _tv(z) + 0.3 * cp.norm1(z) + 0.2 * cp.sum_squares(z), [z >= 0]),
    ),
    Member(
        "fused-box",
        jr.TV1D() + jr.Box(-0.5, 1.0),
        VECTOR,
        lambda z: (_tv(z), [z >= -0.5, z <= 1.0]),
    ),
    Member(
        "tv1d-ridge-arrays",
        0.5 * jr.TV1D() + np.array([0.0, 0.5, 1.0, 2.0, 3.0, 0.1]) * jr.Ridge(),
        VECTOR,
        lambda z: (0.5 * _tv(z) + 0.5 * cp.sum_squares(cp.multiply(np.sqrt([0.0, 0.5, 1.0, 2.0, 3.0, 0.1]), z)), []),
    ),
    Member("trend-linear", jr.TrendFilter(1), VECTOR, lambda z: (cp.norm1(cp.diff(z, 2)), [])),
    Member("trend-quadratic", 0.5 * jr.TrendFilter(2), VECTOR, lambda z: (0.5 * cp.norm1(cp.diff(z, 3)), [])),
    Member(
        "trend-tasks",
        0.7 * jr.TrendFilter(1, axis=0),
        MATRIX,
        lambda z: (0.7 * cp.sum(cp.abs(cp.diff(z, 2, axis=0))), []),
    ),
    Member("trend-constant", jr.TrendFilter(0), VECTOR, lambda z: (_tv(z), [])),
    Member(
        "graph-tv",
        jr.GraphTV(CYCLE, CYCLE_WEIGHTS),
        VECTOR,
        lambda z: (_graph(z, CYCLE, CYCLE_WEIGHTS), []),
        sized=True,
    ),
    Member(
        "graph-tv-tasks",
        0.6 * jr.GraphTV(TASKS),
        MATRIX,
        lambda z: (0.6 * sum(_graph(z[i], TASKS, np.ones(4)) for i in range(3)), []),
        sized=True,
    ),
    Member("tv2d", 0.8 * jr.TV2D(), MATRIX, lambda z: (0.8 * (_tv(z, 0) + _tv(z, 1)), [])),
    Member(
        "tv2d-sparse",
        0.4 * jr.TV2D() + 0.3 * jr.L1(),
        MATRIX,
        lambda z: (0.4 * (_tv(z, 0) + _tv(z, 1)) + 0.3 * cp.sum(cp.abs(z)), []),
    ),
)
