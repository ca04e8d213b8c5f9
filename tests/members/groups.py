"""Members on groups of entries."""

import cvxpy as cp

import jaxreg as jr
from members._member import MATRIX, PER_FEATURE, VECTOR, Member

MEMBERS = (
    Member("l2-all", jr.L2(), VECTOR, lambda z: (cp.norm(z, 2), [])),
    Member("l2-rows", jr.L2(axis=0), MATRIX, lambda z: (cp.sum(cp.norm(z, 2, axis=0)), [])),
    Member(
        "l2-per-feature",
        PER_FEATURE * jr.L2(axis=0),
        MATRIX,
        lambda z: (cp.norm(z, 2, axis=0) @ PER_FEATURE, []),
    ),
)
