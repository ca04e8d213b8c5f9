"""Members on groups of entries."""

import cvxpy as cp
import numpy as np

import jaxreg as jr
from members._member import MATRIX, PER_ENTRY, PER_FEATURE, VECTOR, Member

LABELS = [0, 1, 0, 2, 1, 0]
SIZES = np.sqrt([3.0, 2.0, 1.0])


def _labelled(z, weights):
    return sum(w * cp.norm(z[np.flatnonzero(np.equal(LABELS, g))], 2) for g, w in enumerate(weights))


BRANCHES = ((0,), (1,), (2,), (0, 1, 2), (3, 4), (0, 1, 2, 3, 4), (5,))
BRANCH_WEIGHTS = np.array([0.3, 0.0, 0.5, 0.4, 0.7, 0.6, 0.2])


OVERLAPPING = ((0, 1, 2), (2, 3), (3, 4, 5), (1, 2, 3, 4), (0, 5))
OVERLAP_WEIGHTS = np.array([0.9, 1.1, 1.3, 1.5, 0.8])


def _latent(z, groups, weights):
    parts = [cp.Variable(len(g)) for g in groups]
    total = sum(np.eye(6)[:, list(g)] @ v for g, v in zip(groups, parts, strict=True))
    return sum(w * cp.norm(v, 2) for w, v in zip(weights, parts, strict=True)), [z == total]


def _latent_rows(z):
    v, u = cp.Variable((2, 4)), cp.Variable((2, 4))
    pad = np.zeros((1, 4))
    return 1.5 * cp.norm(v, "fro") + cp.norm(u, "fro"), [z == cp.vstack([v, pad]) + cp.vstack([pad, u])]


def _norms(z, groups, weights):
    return sum(w * cp.norm(z[np.array(g)], 2) for g, w in zip(groups, weights, strict=True))


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
    Member(
        "tree",
        jr.TreeL2(((0, 1), (2, 3, 4), (0, 1, 2, 3, 4, 5))),
        VECTOR,
        lambda z: (np.sqrt(2) * cp.norm(z[:2], 2) + np.sqrt(3) * cp.norm(z[2:5], 2) + np.sqrt(6) * cp.norm(z, 2), []),
        sized=True,
    ),
    Member(
        "tree-weights",
        0.8 * jr.TreeL2(BRANCHES, BRANCH_WEIGHTS),
        VECTOR,
        lambda z: (0.8 * _norms(z, BRANCHES, BRANCH_WEIGHTS), []),
        sized=True,
    ),
    Member(
        "tree-slices",
        jr.TreeL2(((0, 2), (1,), (0, 1, 2)), np.array([0.5, 1.0, 0.3]), axis=0),
        MATRIX,
        lambda z: (0.5 * cp.norm(z[[0, 2]], "fro") + cp.norm(z[1], 2) + 0.3 * cp.norm(z, "fro"), []),
        sized=True,
    ),
    Member(
        "sparse-tree",
        PER_ENTRY * jr.L1() + 0.5 * jr.TreeL2(BRANCHES, BRANCH_WEIGHTS) + jr.NonNegative(),
        VECTOR,
        lambda z: (
            cp.norm1(cp.multiply(np.where(np.isinf(PER_ENTRY), 0.0, PER_ENTRY), z))
            + 0.5 * _norms(z, BRANCHES, BRANCH_WEIGHTS),
            [z[4] == 0, z >= 0],
        ),
        sized=True,
    ),
    Member(
        "latent",
        jr.LatentGroupL2(OVERLAPPING, OVERLAP_WEIGHTS),
        VECTOR,
        lambda z: _latent(z, OVERLAPPING, OVERLAP_WEIGHTS),
        sized=True,
    ),
    Member(
        "latent-slices",
        0.7 * jr.LatentGroupL2(((0, 1), (1, 2)), np.array([1.5, 1.0]) / 0.7, axis=0),
        MATRIX,
        _latent_rows,
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
