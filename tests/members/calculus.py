"""Members made by the calculus: sums, shifts and placements."""

import cvxpy as cp
import numpy as np

import jaxreg as jr
from members._member import CENTRE, DIRTY_TREE, LINEAR_TREE, MATRIX, PER_FEATURE, VECTOR, Member
from members.elementwise import mcp
from oracles import searched_prox


def _rows(z):
    return cp.sum(cp.norm(z, 2, axis=0))


def _flat(z):
    return cp.norm1(cp.vec(z, order="C"))


MEMBERS = (
    Member(
        "elastic-net",
        0.3 * jr.L1() + 0.5 * jr.Ridge(),
        VECTOR,
        lambda z: (0.3 * cp.norm1(z) + 0.25 * cp.sum_squares(z), []),
    ),
    Member(
        "elastic-net-arrays",
        0.3 * jr.L1() + PER_FEATURE * jr.Ridge(),
        MATRIX,
        lambda z: (0.3 * _flat(z) + 0.5 * cp.sum_squares(z @ np.diag(np.sqrt(PER_FEATURE))), []),
    ),
    Member("positive-lasso", 0.5 * jr.L1() + jr.NonNegative(), VECTOR, lambda z: (0.5 * cp.norm1(z), [z >= 0])),
    Member(
        "sparse-group",
        0.3 * jr.L1() + 0.6 * jr.L2(axis=0),
        MATRIX,
        lambda z: (0.3 * _flat(z) + 0.6 * _rows(z), []),
    ),
    Member(
        "ridge-nuclear",
        0.5 * jr.Ridge() + 0.4 * jr.Nuclear(),
        MATRIX,
        lambda z: (0.25 * cp.sum_squares(z) + 0.4 * cp.normNuc(z), []),
    ),
    Member("shifted-l1", (0.5 * jr.L1()).shift(CENTRE), VECTOR, lambda z: (0.5 * cp.norm1(z - CENTRE), [])),
    Member("shifted-ridge", 0.5 * jr.Ridge().shift(CENTRE), VECTOR, lambda z: (0.25 * cp.sum_squares(z - CENTRE), [])),
    Member(
        "l1-to-ridge-centre",
        0.4 * jr.L1() + 0.5 * jr.Ridge().shift(CENTRE),
        VECTOR,
        lambda z: (0.4 * cp.norm1(z) + 0.25 * cp.sum_squares(z - CENTRE), []),
    ),
    Member(
        "mcp-ridge",
        0.5 * jr.MCP(1.0, 1.5) + 0.3 * jr.Ridge(),
        VECTOR,
        slow=lambda x, step: searched_prox(lambda z: 0.5 * mcp(z, 1.0, 1.5) + 0.15 * z**2, x, step),
    ),
    Member(
        "l0-positive",
        0.5 * jr.L0() + jr.NonNegative(),
        VECTOR,
        slow=lambda x, step: searched_prox(lambda z: np.where(z < 0, np.inf, 0.5 * (z != 0)), x, step),
    ),
    Member("beside-intercept", 0.4 * jr.L1(), LINEAR_TREE),
    Member("on-intercept", 0.4 * jr.L1().on("coef") + 0.2 * jr.Ridge().on("intercept"), LINEAR_TREE),
    Member("dirty", 0.6 * jr.L2(axis=0).on("common") + 0.3 * jr.L1().on("own"), DIRTY_TREE),
)
