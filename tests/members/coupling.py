"""Members that couple tasks along an axis."""

import cvxpy as cp
import numpy as np

import jaxreg as jr
from members._member import MATRIX, PER_FEATURE, Member

PATH = np.array([[2.0, -2.0, 0.0], [-2.0, 2.5, -0.5], [0.0, -0.5, 0.5]])
PAIRS = np.array([[0.0, 1.0, 0.2], [1.0, 0.0, 0.0], [0.2, 0.0, 0.0]])
_root = np.linalg.cholesky(PATH + 1e-13 * np.eye(3)).T


def _spread(z):
    return 0.5 * cp.sum_squares(z - np.full((3, 3), 1 / 3) @ z)


def _apart(z, weights):
    return sum(weights[s, t] * cp.norm(z[s] - z[t], 2) for s in range(3) for t in range(s))


MEMBERS = (
    Member("tomean", jr.ToMean(), MATRIX, lambda z: (_spread(z), [])),
    Member("scaled-tomean", 3.0 * jr.ToMean(axis=0), MATRIX, lambda z: (3.0 * _spread(z), [])),
    Member("graph", jr.Graph(PATH), MATRIX, lambda z: (0.5 * cp.sum_squares(_root @ z), [])),
    Member("graph-of", 0.5 * jr.Graph.of(PATH), MATRIX, lambda z: (0.25 * cp.sum_squares(_root @ z), [])),
    Member("chain", jr.Chain(), MATRIX, lambda z: (0.5 * cp.sum_squares(cp.diff(z, axis=0)), [])),
    Member(
        "chain-per-feature",
        PER_FEATURE * jr.Chain(),
        MATRIX,
        lambda z: (0.5 * cp.sum_squares(cp.diff(z, axis=0) @ np.diag(np.sqrt(PER_FEATURE))), []),
    ),
    Member("clustered", jr.Clustered(), MATRIX, lambda z: (_apart(z, np.ones((3, 3))), [])),
    Member("clustered-weights", 0.7 * jr.Clustered(PAIRS), MATRIX, lambda z: (0.7 * _apart(z, PAIRS), [])),
)
