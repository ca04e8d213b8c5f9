"""Members that are sets."""

from itertools import combinations

import cvxpy as cp
import numpy as np

import jaxreg as jr
from members._member import CENTRE, MATRIX, PER_FEATURE, PER_TASK, VECTOR, Member

NORMAL = np.array([1.0, -2.0, 0.0, 0.5, 3.0, -1.0])
EQUATIONS = np.array([[1.0, 1.0, 1.0, 1.0, 1.0, 1.0], [1.0, -1.0, 0.0, 2.0, 0.0, 0.0]])
REPEATED = np.vstack([EQUATIONS, EQUATIONS.sum(0)])
BETWEEN = np.array([[1.0, -1.0, 0.0, 0.0], [0.5, 0.0, 2.0, 1.0]])
TARGETS = np.array([[0.0, 1.0], [1.0, -1.0], [2.0, 0.0]])


def _fewest(x, size):
    """Every support of `size` entries, and what is lost outside it."""
    for kept in combinations(range(x.size), size):
        yield list(kept), [i for i in range(x.size) if i not in kept]


def _l0(x, step, size=2):
    cost = np.broadcast_to(x**2 / step, x.shape)
    kept, _ = min(_fewest(x, size), key=lambda pair: cost[pair[1]].sum())
    z = np.zeros_like(x)
    z[kept] = x[kept]
    return z


def _l0_rows(x, step):
    return np.stack([_l0(r, t, 1) for r, t in zip(x, np.broadcast_to(step, x.shape), strict=True)])


MEMBERS = (
    Member("nonnegative", jr.NonNegative(), VECTOR, lambda z: (0, [z >= 0])),
    Member("box", jr.Box(-1.0, 0.5), VECTOR, lambda z: (0, [z >= -1.0, z <= 0.5])),
    Member(
        "box-arrays",
        jr.Box(-np.arange(6.0), np.arange(6.0) / 2),
        VECTOR,
        lambda z: (0, [z >= -np.arange(6.0), z <= np.arange(6.0) / 2]),
    ),
    Member("simplex", jr.Simplex(), VECTOR, lambda z: (0, [z >= 0, cp.sum(z) == 1.0])),
    Member(
        "simplex-per-task",
        jr.Simplex(PER_TASK),
        MATRIX,
        lambda z: (0, [z >= 0, cp.sum(z, axis=1) == PER_TASK[:, 0]]),
    ),
    Member("l1-ball", jr.L1Ball(1.5), VECTOR, lambda z: (0, [cp.norm1(z) <= 1.5])),
    Member(
        "l1-ball-per-feature",
        jr.L1Ball(PER_FEATURE, axis=0),
        MATRIX,
        lambda z: (0, [cp.sum(cp.abs(z), axis=0) <= PER_FEATURE]),
    ),
    Member("l2-ball", jr.L2Ball(1.5), VECTOR, lambda z: (0, [cp.norm(z) <= 1.5])),
    Member(
        "l2-ball-per-feature",
        jr.L2Ball(PER_FEATURE, axis=0),
        MATRIX,
        lambda z: (0, [cp.norm(z, 2, axis=0) <= PER_FEATURE]),
    ),
    Member("linf-ball", jr.LInfBall(0.8), VECTOR, lambda z: (0, [cp.abs(z) <= 0.8])),
    Member("l0-ball", jr.L0Ball(2), VECTOR, slow=_l0),
    Member("l0-ball-rows", jr.L0Ball(1, axis=-1), MATRIX, slow=_l0_rows),
    Member("hyperplane", jr.Hyperplane(NORMAL, 1.0), VECTOR, lambda z: (0, [NORMAL @ z == 1.0]), sized=True),
    Member(
        "hyperplane-per-task",
        jr.Hyperplane(np.arange(1.0, 5.0), PER_TASK, axis=-1),
        MATRIX,
        lambda z: (0, [z @ np.arange(1.0, 5.0) == PER_TASK[:, 0]]),
    ),
    Member("halfspace", jr.Halfspace(NORMAL, -0.5), VECTOR, lambda z: (0, [NORMAL @ z <= -0.5])),
    Member(
        "affine", jr.Affine(EQUATIONS, np.array([1.0, -0.5])), VECTOR, lambda z: (0, [EQUATIONS @ z == [1.0, -0.5]])
    ),
    Member(
        "affine-repeated",
        jr.Affine(REPEATED, np.array([1.0, -0.5, 0.5])),
        VECTOR,
        lambda z: (0, [EQUATIONS @ z == [1.0, -0.5]]),
    ),
    Member("affine-rows", jr.Affine(BETWEEN, TARGETS, axis=-1), MATRIX, lambda z: (0, [z @ BETWEEN.T == TARGETS])),
    Member("monotone", jr.Monotone(), VECTOR, lambda z: (0, [z[:-1] <= z[1:]])),
    Member("monotone-down", jr.Monotone(axis=0, increasing=False), MATRIX, lambda z: (0, [z[:-1] >= z[1:]])),
    Member("second-order-cone", jr.SecondOrderCone(), VECTOR, lambda z: (0, [cp.norm(z[1:]) <= z[0]])),
    Member(
        "positive-l2-ball",
        jr.NonNegative() + jr.L2Ball(1.2),
        VECTOR,
        lambda z: (0, [z >= 0, cp.norm(z) <= 1.2]),
    ),
    Member(
        "positive-l1-ball",
        jr.L1Ball(1.2) + jr.NonNegative(),
        VECTOR,
        lambda z: (0, [z >= 0, cp.sum(z) <= 1.2]),
    ),
    Member(
        "lasso-l2-ball",
        0.3 * jr.L1() + jr.L2Ball(1.2),
        VECTOR,
        lambda z: (0.3 * cp.norm1(z), [cp.sum_squares(z) <= 1.44]),
    ),
    Member(
        "ridge-simplex",
        (PER_FEATURE + 0.1) * jr.Ridge().shift(0.5) + jr.Simplex(),
        MATRIX,
        lambda z: (
            0.5 * cp.sum_squares((z - 0.5) @ np.diag(np.sqrt(PER_FEATURE + 0.1))),
            [z >= 0, cp.sum(z, axis=1) == 1.0],
        ),
    ),
    Member("shifted-l1-ball", jr.L1Ball(1.5).shift(CENTRE), VECTOR, lambda z: (0, [cp.norm1(z - CENTRE) <= 1.5])),
)
