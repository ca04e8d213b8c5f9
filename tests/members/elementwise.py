"""Members that act coordinate by coordinate."""

from functools import partial

import cvxpy as cp
import numpy as np

import jaxreg as jr
from members._member import MATRIX, PER_ENTRY, PER_FEATURE, PER_TASK, VECTOR, Member
from oracles import searched_prox

_finite = np.where(np.isinf(PER_ENTRY), 0.0, PER_ENTRY)
_roots = np.sqrt(PER_TASK) * np.ones((1, 4))
_GAMMAS = np.array([1.5, 2.0, 3.0, np.inf])


def _searched(g):
    return partial(searched_prox, g)


def mcp(z, strength, gamma):
    a = np.abs(z)
    return np.where(a <= strength * gamma, strength * a - a**2 / (2 * gamma), 0.5 * strength * (strength * gamma))


def scad(z, strength, gamma):
    a = np.abs(z)
    middle = (2 * gamma * strength * a - a**2 - strength**2) / (2 * (gamma - 1))
    far = 0.5 * strength**2 * (gamma + 1)
    return np.where(a <= strength, strength * a, np.where(a <= gamma * strength, middle, far))


def _pinball(z, quantile):
    return cp.sum(cp.maximum(cp.multiply(quantile, z), cp.multiply(quantile - 1, z)))


MEMBERS = (
    Member("l1", jr.L1(), VECTOR, lambda z: (cp.norm1(z), [])),
    Member("scaled-l1", 0.7 * jr.L1(), VECTOR, lambda z: (0.7 * cp.norm1(z), [])),
    Member("l1-per-entry", PER_ENTRY * jr.L1(), VECTOR, lambda z: (cp.norm1(cp.multiply(_finite, z)), [z[4] == 0])),
    Member("l1-positive", jr.L1(positive=True), VECTOR, lambda z: (cp.sum(z), [z >= 0])),
    Member(
        "l1-positive-per-entry",
        PER_ENTRY * jr.L1(positive=True),
        VECTOR,
        lambda z: (_finite @ z, [z >= 0, z[4] == 0]),
    ),
    Member("ridge", jr.Ridge(), VECTOR, lambda z: (0.5 * cp.sum_squares(z), [])),
    Member(
        "ridge-per-task",
        PER_TASK * jr.Ridge(),
        MATRIX,
        lambda z: (0.5 * cp.sum_squares(cp.multiply(_roots, z)), []),
    ),
    Member("smooth-l1", jr.SmoothL1(0.5), VECTOR, lambda z: (cp.sum(cp.huber(z, 0.5)), [])),
    Member(
        "smooth-l1-per-entry",
        PER_ENTRY * jr.SmoothL1(1.0),
        VECTOR,
        lambda z: (0.5 * _finite @ cp.huber(z, 1.0), [z[4] == 0]),
    ),
    Member("asymmetric-l1", jr.AsymmetricL1(0.3), VECTOR, lambda z: (_pinball(z, 0.3), [])),
    Member(
        "asymmetric-l1-arrays",
        0.5 * jr.AsymmetricL1(np.array([0.1, 0.3, 0.5, 0.9])),
        MATRIX,
        lambda z: (0.5 * _pinball(z, np.ones((3, 1)) * np.array([0.1, 0.3, 0.5, 0.9])), []),
    ),
    Member("l0", jr.L0(), VECTOR, slow=_searched(lambda z: z != 0)),
    Member("l0-per-feature", PER_FEATURE * jr.L0(), MATRIX, slow=_searched(lambda z: PER_FEATURE * (z != 0))),
    Member("half", jr.Lq(0.5), VECTOR, slow=_searched(lambda z: np.sqrt(np.abs(z)))),
    Member("two-thirds", 0.6 * jr.Lq(2 / 3), VECTOR, slow=_searched(lambda z: 0.6 * np.cbrt(z) ** 2)),
    Member("mcp", jr.MCP(1.0, 3.0), VECTOR, slow=_searched(lambda z: mcp(z, 1.0, 3.0))),
    Member(
        "mcp-arrays",
        PER_TASK * jr.MCP(PER_FEATURE, _GAMMAS),
        MATRIX,
        slow=_searched(lambda z: PER_TASK * mcp(z, PER_FEATURE, np.where(np.isinf(_GAMMAS), 1e12, _GAMMAS))),
    ),
    Member("scad", jr.SCAD(0.5, 3.7), VECTOR, slow=_searched(lambda z: scad(z, 0.5, 3.7))),
    Member(
        "scad-arrays",
        2.0 * jr.SCAD(PER_TASK, 2.5),
        MATRIX,
        slow=_searched(lambda z: 2 * scad(z, PER_TASK, 2.5)),
    ),
    Member("log-sum", jr.LogSum(0.3), VECTOR, slow=_searched(lambda z: np.log1p(np.abs(z) / 0.3))),
    Member(
        "log-sum-arrays",
        PER_TASK * jr.LogSum(np.array([0.1, 0.5, 1.0, 4.0])),
        MATRIX,
        slow=_searched(lambda z: PER_TASK * np.log1p(np.abs(z) / np.array([0.1, 0.5, 1.0, 4.0]))),
    ),
)
