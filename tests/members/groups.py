"""Members on groups of entries."""

import cvxpy as cp
import numpy as np

import jaxreg as jr
from members._member import MATRIX, PER_FEATURE, VECTOR, Member

LABELS = [0, 1, 0, 2, 1, 0]
SIZES = np.sqrt([3.0, 2.0, 1.0])


def _labelled(z, weights):
    return sum(w * cp.norm(z[np.flatnonzero(np.equal(LABELS, g))], 2) for g, w in enumerate(weights))


MEMBERS = (
    Member("labelled", jr.GroupL2(LABELS), VECTOR, lambda z: (_labelled(z, SIZES), []), sized=True),
    Member(
        "labelled-weights",
        0.5 * jr.GroupL2(LABELS, np.array([1.0, 0.0, 2.0])),
        VECTOR,
        lambda z: (0.5 * _labelled(z, [1.0, 0.0, 2.0]), []),
        sized=True,
    ),
    Member(
        "labelled-joint",
        jr.GroupL2([0, 0, 1], axis=0),
        MATRIX,
        lambda z: (np.sqrt(8) * cp.norm(z[:2], "fro") + 2.0 * cp.norm(z[2], 2), []),
        sized=True,
    ),
    Member(
        "labelled-apart",
        jr.GroupL2([0, 1, 1, 0], joint=False),
        MATRIX,
        lambda z: (np.sqrt(2) * cp.sum(cp.norm(z[:, [0, 3]], 2, axis=1) + cp.norm(z[:, [1, 2]], 2, axis=1)), []),
        sized=True,
    ),
    Member(
        "sparse-labelled",
        0.3 * jr.L1() + 0.4 * jr.GroupL2(LABELS),
        VECTOR,
        lambda z: (0.3 * cp.norm1(z) + 0.4 * _labelled(z, SIZES), []),
        sized=True,
    ),
    Member("l2-all", jr.L2(), VECTOR, lambda z: (cp.norm(z, 2), [])),
    Member("l2-rows", jr.L2(axis=0), MATRIX, lambda z: (cp.sum(cp.norm(z, 2, axis=0)), [])),
    Member(
        "l2-per-feature",
        PER_FEATURE * jr.L2(axis=0),
        MATRIX,
        lambda z: (cp.norm(z, 2, axis=0) @ PER_FEATURE, []),
    ),
)
