"""Members on groups of entries."""

from collections.abc import Callable
from typing import Any

import cvxpy as cp
import numpy as np

import jaxreg as jr
import oracles
from members._member import MATRIX, PER_ENTRY, PER_FEATURE, PER_TASK, VECTOR, Member
from members.elementwise import mcp, scad

_GAMMAS = np.array([2.5, 3.0, 4.0, np.inf])
_finite_gammas = np.where(np.isinf(_GAMMAS), 1e12, _GAMMAS)


def _searched(g: Callable[[Any], Any], axis: int | None = None) -> Callable[[np.ndarray, Any], np.ndarray]:
    """The norms moved by a search over a grid, the directions kept."""

    def prox(x: np.ndarray, step: Any) -> np.ndarray:
        norm = np.sqrt(np.sum(x**2, axis=axis, keepdims=True))
        return x / norm * oracles.searched_prox(g, norm, step)

    return prox


LABELS = [0, 1, 0, 2, 1, 0]
SIZES = np.sqrt([3.0, 2.0, 1.0])


def _labelled(z, weights):
    return sum(w * cp.norm(z[np.flatnonzero(np.equal(LABELS, g))], 2) for g, w in enumerate(weights))


FALLING = np.array([2.0, 1.5, 1.5, 0.5, 0.0, 0.0])
OSCAR = 0.1 + 0.2 * np.arange(11, -1, -1)


def _sorted(z, weights):
    size = cp.abs(cp.vec(z, order="C"))
    return sum(d * cp.sum_largest(size, k + 1) for k, d in enumerate(weights - np.append(weights[1:], 0)))


def _top_squares(k):
    """prox by Moreau's identity, through half the sum of the k largest squares."""

    def prox(x, step):
        def conjugate(u):
            return 0.5 * cp.sum_largest(cp.square(u), k), []

        return x - step * oracles.cvx_prox(conjugate, x / step, 1 / step)

    return prox


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
    Member(
        "squared-l2",
        jr.SquaredL2(axis=0),
        MATRIX,
        lambda z: (0.5 * cp.square(cp.sum(cp.norm(z, 2, axis=0))), []),
    ),
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
    Member("linf-all", jr.LInf(), VECTOR, lambda z: (cp.norm(z, "inf"), [])),
    Member("linf-rows", jr.LInf(axis=0), MATRIX, lambda z: (cp.sum(cp.max(cp.abs(z), axis=0)), [])),
    Member(
        "linf-per-feature",
        PER_FEATURE * jr.LInf(axis=0),
        MATRIX,
        lambda z: (cp.max(cp.abs(z), axis=0) @ PER_FEATURE, []),
    ),
    Member(
        "linf-ridge", jr.LInf() + 0.5 * jr.Ridge(), VECTOR, lambda z: (cp.norm(z, "inf") + 0.25 * cp.sum_squares(z), [])
    ),
    Member("slope", jr.SLOPE(FALLING), VECTOR, lambda z: (_sorted(z, FALLING), []), sized=True),
    Member("slope-oscar", jr.SLOPE(OSCAR), MATRIX, lambda z: (_sorted(z, OSCAR), []), sized=True),
    Member(
        "slope-positive",
        jr.NonNegative() + 0.5 * jr.SLOPE(FALLING),
        VECTOR,
        lambda z: (0.5 * _sorted(z, FALLING), [z >= 0]),
        sized=True,
    ),
    Member("exclusive-all", jr.Exclusive(), VECTOR, lambda z: (0.5 * cp.square(cp.norm1(z)), [])),
    Member(
        "exclusive-rows",
        jr.Exclusive(axis=0),
        MATRIX,
        lambda z: (0.5 * cp.sum_squares(cp.sum(cp.abs(z), axis=0)), []),
    ),
    Member(
        "exclusive-per-feature",
        PER_FEATURE * jr.Exclusive(axis=0),
        MATRIX,
        lambda z: (0.5 * PER_FEATURE @ cp.square(cp.sum(cp.abs(z), axis=0)), []),
    ),
    Member("k-support", jr.KSupport(2), VECTOR, slow=_top_squares(2)),
    Member("k-support-matrix", jr.KSupport(5), MATRIX, slow=_top_squares(5)),
    Member("group-mcp", jr.GroupMCP(1.0, 3.0), VECTOR, slow=_searched(lambda r: mcp(r, 1.0, 3.0))),
    Member(
        "group-mcp-per-feature",
        0.7 * jr.GroupMCP(PER_FEATURE, _GAMMAS, axis=0),
        MATRIX,
        slow=_searched(lambda r: 0.7 * mcp(r, PER_FEATURE, _finite_gammas), 0),
    ),
    Member("group-scad", jr.GroupSCAD(0.5, 3.7), VECTOR, slow=_searched(lambda r: scad(r, 0.5, 3.7))),
    Member(
        "group-scad-per-task",
        PER_TASK * jr.GroupSCAD(PER_TASK, 2.5, axis=1),
        MATRIX,
        slow=_searched(lambda r: PER_TASK * scad(r, PER_TASK, 2.5), 1),
    ),
    Member(
        "group-mcp-sparse",
        jr.GroupMCP(1.0, 3.0) + 0.3 * jr.L1(),
        VECTOR,
        slow=lambda x, step: _searched(lambda r: mcp(r, 1.0, 3.0))(
            np.sign(x) * np.maximum(np.abs(x) - 0.3 * step, 0.0), step
        ),
    ),
)
