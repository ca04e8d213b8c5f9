"""Every prox against a conic solver; diagonal metrics too."""

import cvxpy as cp
import numpy as np
import pytest

import jaxreg as jr
import oracles
import zoo


def _rows(z):
    return cp.sum(cp.norm(z, 2, axis=0))


def _spread(z):
    return 0.5 * cp.sum_squares(z - np.full((3, 3), 1 / 3) @ z)


_finite = np.where(np.isinf(zoo.PER_ENTRY), 0.0, zoo.PER_ENTRY)
ORACLES = {
    "l1": lambda z: (cp.norm1(z), []),
    "ridge": lambda z: (0.5 * cp.sum_squares(z), []),
    "l2-all": lambda z: (cp.norm(z, 2), []),
    "l2-rows": lambda z: (_rows(z), []),
    "nuclear": lambda z: (cp.normNuc(z), []),
    "nonnegative": lambda z: (0, [z >= 0]),
    "box": lambda z: (0, [z >= -1.0, z <= 0.5]),
    "box-arrays": lambda z: (0, [z >= -np.arange(6.0), z <= np.arange(6.0) / 2]),
    "tomean": lambda z: (_spread(z), []),
    "scaled-l1": lambda z: (0.7 * cp.norm1(z), []),
    "l1-per-entry": lambda z: (cp.norm1(cp.multiply(_finite, z)), [z[4] == 0]),
    "ridge-per-task": lambda z: (0.5 * cp.sum_squares(cp.multiply(np.sqrt(zoo.PER_TASK) * np.ones((1, 4)), z)), []),
    "l2-per-feature": lambda z: (cp.norm(z, 2, axis=0) @ zoo.PER_FEATURE, []),
    "scaled-tomean": lambda z: (3.0 * _spread(z), []),
    "elastic-net": lambda z: (0.3 * cp.norm1(z) + 0.25 * cp.sum_squares(z), []),
    "elastic-net-arrays": lambda z: (
        0.3 * cp.norm1(cp.vec(z, order="C")) + 0.5 * cp.sum_squares(z @ np.diag(np.sqrt(zoo.PER_FEATURE))),
        [],
    ),
    "positive-lasso": lambda z: (0.5 * cp.norm1(z), [z >= 0]),
    "sparse-group": lambda z: (0.3 * cp.norm1(cp.vec(z, order="C")) + 0.6 * _rows(z), []),
    "ridge-nuclear": lambda z: (0.25 * cp.sum_squares(z) + 0.4 * cp.normNuc(z), []),
    "shifted-l1": lambda z: (0.5 * cp.norm1(z - zoo.CENTRE), []),
    "shifted-ridge": lambda z: (0.25 * cp.sum_squares(z - zoo.CENTRE), []),
    "l1-to-ridge-centre": lambda z: (0.4 * cp.norm1(z) + 0.25 * cp.sum_squares(z - zoo.CENTRE), []),
}
ROUGH = 2e-5  # a conic gap of 1e-9 is 3e-5 in the argument
ARRAYS = [m for m in zoo.PENALTIES if not isinstance(m.form, dict)]
METRIC = [m for m in ARRAYS if m.name in {"l1", "ridge", "box", "l2-all", "l2-rows", "elastic-net", "sparse-group"}]


def test_every_member_on_an_array_has_an_oracle():
    assert {m.name for m in ARRAYS} == set(ORACLES)


@pytest.mark.parametrize("member", ARRAYS, ids=zoo.ids(ARRAYS))
def test_prox_against_a_conic_solver(member: zoo.Member, x64):
    for seed, step in ((0, 0.3), (1, 1.7)):
        x = 2 * np.random.default_rng(seed).normal(size=member.form)
        expected = oracles.cvx_prox(ORACLES[member.name], x, step)
        np.testing.assert_allclose(member.penalty.prox(x, step), expected, atol=ROUGH)


@pytest.mark.parametrize("member", METRIC, ids=zoo.ids(METRIC))
def test_prox_in_a_diagonal_metric_against_a_conic_solver(member: zoo.Member, x64):
    rng = np.random.default_rng(0)
    x, step = 2 * rng.normal(size=member.form), 10 ** rng.uniform(-1, 0.5, member.form)
    expected = oracles.cvx_prox(ORACLES[member.name], x, step)
    np.testing.assert_allclose(member.penalty.prox(x, step), expected, atol=ROUGH)


def test_a_constant_metric_is_a_single_step(x64):
    x = np.random.default_rng(0).normal(size=(3, 4))
    for g in (jr.L1(), jr.Ridge(), jr.L2(), jr.L2(axis=0), jr.Box()):
        np.testing.assert_allclose(g.prox(x, np.full((3, 4), 0.3)), g.prox(x, 0.3), rtol=1e-12, atol=1e-14)
