"""Members that couple tasks along an axis."""

import cvxpy as cp
import numpy as np

import jaxreg as jr
from members._member import MATRIX, Member


def _spread(z):
    return 0.5 * cp.sum_squares(z - np.full((3, 3), 1 / 3) @ z)


MEMBERS = (
    Member("tomean", jr.ToMean(), MATRIX, lambda z: (_spread(z), [])),
    Member("scaled-tomean", 3.0 * jr.ToMean(axis=0), MATRIX, lambda z: (3.0 * _spread(z), [])),
)
