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


SCALES = np.array([2.0, -0.5, 1.0, 3.0, 0.25, 1.0])
ROTATION = np.kron(np.eye(3), [[1.0, 1.0], [1.0, -1.0]])
FRAME = np.array([[1.0, 1.0, 1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0, -1.0, 1.0]])


def _norm_huber(z, radius):
    """Huber's function of the norm, its quadratic part split off."""
    inner = cp.Variable()
    return cp.pos(cp.norm(z, 2) - inner) + cp.square(inner) / (2 * radius)


def _gap_to_box(z):
    return cp.maximum(z - 0.5, -1.0 - z, 0.0)


def _near_simplex(z, rest):
    y = cp.Variable(z.shape)
    return rest + cp.sum_squares(z - y), [y >= 0, cp.sum(y, axis=-1) == 1.0]


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
    Member(
        "affine-l1",
        (0.5 * jr.L1()).affine(SCALES, CENTRE),
        VECTOR,
        lambda z: (0.5 * cp.norm1(cp.multiply(SCALES, z) + CENTRE), []),
    ),
    Member("affine-l2", 0.5 * jr.L2().affine(-2.0, CENTRE), VECTOR, lambda z: (0.5 * cp.norm(CENTRE - 2 * z, 2), [])),
    Member("scaled-box", jr.Box(-1.0, 0.5).affine(2.0, 0.25), VECTOR, lambda z: (0, [2 * z >= -1.25, 2 * z <= 0.25])),
    Member("rotated-l1", 0.5 * jr.L1().compose(ROTATION), VECTOR, lambda z: (0.5 * cp.norm1(ROTATION @ z), [])),
    Member("frame-l2", jr.L2().compose(FRAME), VECTOR, lambda z: (cp.norm(FRAME @ z, 2), [])),
    Member(
        "support-function", jr.Conjugate(jr.Box(-1.0, 0.5)), VECTOR, lambda z: (cp.sum(cp.maximum(0.5 * z, -z)), [])
    ),
    Member("dual-ball", jr.Conjugate(0.5 * jr.L2()), VECTOR, lambda z: (0, [cp.norm(z, 2) <= 0.5])),
    Member(
        "conjugate-elastic-net",
        jr.Conjugate(0.5 * jr.L1() + 2.0 * jr.Ridge()),
        VECTOR,
        lambda z: (cp.sum_squares(cp.pos(cp.abs(z) - 0.5)) / 4, []),
    ),
    Member(
        "conjugate-chain",
        jr.Conjugate(jr.Chain()),
        MATRIX,
        lambda z: (0.5 * cp.sum_squares(cp.cumsum(z, axis=0)), [cp.sum(z, axis=0) == 0]),
    ),
    Member("envelope-l1", jr.Envelope(jr.L1(), 0.7), VECTOR, lambda z: (cp.sum(cp.huber(z, 0.7)) / 1.4, [])),
    Member("envelope-l2", 2.0 * jr.Envelope(jr.L2(), 0.5), VECTOR, lambda z: (2 * _norm_huber(z, 0.5), [])),
    Member("distance", 0.8 * jr.Distance(jr.Box(-1.0, 0.5)), VECTOR, lambda z: (0.8 * cp.norm(_gap_to_box(z), 2), [])),
    Member(
        "squared-distance",
        0.8 * jr.SquaredDistance(jr.Box(-1.0, 0.5)),
        VECTOR,
        lambda z: (0.4 * cp.sum_squares(_gap_to_box(z)), []),
    ),
    Member(
        "squared-distance-ball",
        0.8 * jr.SquaredDistance(jr.L2Ball(0.7)),
        VECTOR,
        lambda z: (0.4 * cp.square(cp.pos(cp.norm(z, 2) - 0.7)), []),
    ),
    Member(
        "ridge-squared-distance",
        (PER_FEATURE + 0.1) * jr.Ridge() + 2.0 * jr.SquaredDistance(jr.Simplex()),
        MATRIX,
        lambda z: _near_simplex(z, 0.5 * cp.sum_squares(z @ np.diag(np.sqrt(PER_FEATURE + 0.1)))),
    ),
)
