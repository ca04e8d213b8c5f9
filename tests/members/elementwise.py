"""Members that act coordinate by coordinate."""

import cvxpy as cp
import numpy as np

import jaxreg as jr
from members._member import MATRIX, PER_ENTRY, PER_TASK, VECTOR, Member

_finite = np.where(np.isinf(PER_ENTRY), 0.0, PER_ENTRY)
_roots = np.sqrt(PER_TASK) * np.ones((1, 4))

MEMBERS = (
    Member("l1", jr.L1(), VECTOR, lambda z: (cp.norm1(z), [])),
    Member("scaled-l1", 0.7 * jr.L1(), VECTOR, lambda z: (0.7 * cp.norm1(z), [])),
    Member("l1-per-entry", PER_ENTRY * jr.L1(), VECTOR, lambda z: (cp.norm1(cp.multiply(_finite, z)), [z[4] == 0])),
    Member("ridge", jr.Ridge(), VECTOR, lambda z: (0.5 * cp.sum_squares(z), [])),
    Member(
        "ridge-per-task",
        PER_TASK * jr.Ridge(),
        MATRIX,
        lambda z: (0.5 * cp.sum_squares(cp.multiply(_roots, z)), []),
    ),
)
