"""Every prox against its oracle: a conic solver, or a slow second implementation; diagonal metrics too."""

import numpy as np
import pytest

import jaxreg as jr
import oracles
import zoo

ROUGH = 2e-5  # a conic gap of 1e-9 is 3e-5 in the argument
ARRAYS = [m for m in zoo.PENALTIES if not isinstance(m.form, dict)]
METRIC = [m for m in ARRAYS if m.penalty.metric]


def expected(member: zoo.Member, x: np.ndarray, step) -> np.ndarray:
    return oracles.cvx_prox(member.cvx, x, step) if member.cvx else member.slow(x, step)


def test_every_member_on_an_array_has_an_oracle():
    assert [m.name for m in ARRAYS if not (m.cvx or m.slow)] == []
    assert len(set(zoo.ids(zoo.PENALTIES))) == len(zoo.PENALTIES)


@pytest.mark.parametrize("member", ARRAYS, ids=zoo.ids(ARRAYS))
def test_prox_is_the_oracle(member: zoo.Member, x64):
    for seed, step in ((0, 0.3), (1, 1.7)):
        x = 2 * np.random.default_rng(seed).normal(size=member.form)
        np.testing.assert_allclose(member.penalty.prox(x, step), expected(member, x, step), atol=ROUGH)


@pytest.mark.parametrize("member", METRIC, ids=zoo.ids(METRIC))
def test_prox_in_a_diagonal_metric_is_the_oracle(member: zoo.Member, x64):
    rng = np.random.default_rng(0)
    x, step = 2 * rng.normal(size=member.form), 10 ** rng.uniform(-1, 0.5, member.form)
    np.testing.assert_allclose(member.penalty.prox(x, step), expected(member, x, step), atol=ROUGH)


def test_a_constant_metric_is_a_single_step(x64):
    x = np.random.default_rng(0).normal(size=(3, 4))
    for g in (jr.L1(), jr.Ridge(), jr.L2(), jr.L2(axis=0), jr.Box()):
        np.testing.assert_allclose(g.prox(x, np.full((3, 4), 0.3)), g.prox(x, 0.3), rtol=1e-12, atol=1e-14)
