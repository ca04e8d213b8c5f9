"""The dual norm of L1 and group norms together: against trees of groups, and as the largest strength."""

import jax
import numpy as np
import pytest
from jax.test_util import check_grads

import jaxreg as jr

LABELS, WEIGHTS = [0, 0, 1, 1, 1, 0], np.array([0.5, 1.5])
SPARSE = 0.3 * jr.L1() + 2.0 * jr.GroupL2(LABELS, weights=WEIGHTS)
FREE = np.array([0.0, 0.0, 1.0, 2.0])
SUMS = (
    0.3 * jr.L1() + 0.6 * jr.L2(axis=1),
    0.3 * jr.L1(positive=True) + 0.6 * jr.L2(axis=0),
    jr.NonNegative() + jr.L2(axis=0),
    FREE * jr.L1() + 0.5 * jr.L2(axis=1),
    jr.L1() + FREE * jr.L2(axis=0),
    jr.AsymmetricL1(0.3) + jr.L2(),
    jr.L1() + 0.5 * jr.L1(positive=True) + jr.GroupL2([0, 1, 0, 1]),
)


def test_it_is_that_of_a_tree(dtype: np.dtype):
    tree = jr.TreeL2([(i,) for i in range(6)] + [(0, 1, 5), (2, 3, 4)], weights=np.array([0.3] * 6 + [1.0, 3.0]))
    rng = np.random.default_rng(0)
    for size in (1e-6, 1.0, 1e6):
        for _ in range(5):
            u = (size * rng.normal(size=6) * 10 ** rng.uniform(-2, 2, 6)).astype(dtype)
            np.testing.assert_allclose(SPARSE.dual(u), tree.dual(u), rtol=32 * np.finfo(dtype).eps)
    assert SPARSE.dual(np.zeros(6, dtype)) == 0


@pytest.mark.parametrize("g", SUMS, ids=repr)
def test_it_is_the_step_from_which_on_nothing_is_left(g: jr.Penalty, x64):
    u = np.random.default_rng(1).normal(size=(3, 4))
    top = float(g.dual(u))
    assert 0 < top < np.inf
    assert not np.any(g.prox(u, top * (1 + 1e-12))) and np.any(g.prox(u, top * (1 - 1e-9)))
    assert g.conjugate(u / top * (1 - 1e-9)) == 0 and g.conjugate(u / top * (1 + 1e-9)) == np.inf


def test_what_is_not_penalised_has_an_infinite_one(x64):
    g = np.array([0.0, 1.0, 1.0]) * jr.L1() + np.array([0.0, 1.0]) * jr.GroupL2([0, 0, 1])
    assert g.dual(np.array([1.0, 0.0, 0.0])) == np.inf
    np.testing.assert_allclose(g.dual(np.array([0.0, 3.0, 4.0])), 3.0)


def test_its_derivatives_are_finite_differences(x64):
    u = np.random.default_rng(2).normal(size=6)

    def dual(u, s, t):
        return (s * jr.L1() + t * jr.GroupL2(LABELS)).dual(u)

    check_grads(dual, (u, 0.3, 0.7), order=1, atol=1e-6, rtol=1e-6)
    assert np.isfinite(jax.grad(dual)(np.zeros(6), 0.3, 0.7)).all()


def test_fits_begin_at_the_largest_strength_and_are_certified_by_a_gap(x64):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 6))
    data, risk = (X, X[:, 0] - X[:, 3] + 0.1 * rng.normal(size=30)), jr.risk(jr.linear, jr.Squared())
    top = jr.strength_max(risk, SPARSE, data)
    fits = [jr.minimize(risk, s * top * SPARSE, np.zeros(6), data, solver=jr.FISTA(), tol=1e-9) for s in (1.001, 0.99)]
    assert not np.any(fits[0].params) and np.any(fits[1].params)
    assert all(fit.status == 0 and fit.gap <= 1e-9 for fit in fits)


GAUGES = (jr.L1(), FREE * jr.L1(), jr.L2(axis=0), jr.GroupL2([0, 1, 0, 1]), *SUMS, jr.Nuclear())
GAUGES = (*GAUGES, jr.SLOPE(np.arange(12.0, 0, -1)), jr.LInf(axis=0))


@pytest.mark.parametrize("g", GAUGES, ids=repr)
def test_gauges_have_a_dual_norm_and_a_conjugate(g: jr.Penalty):
    (part,) = g.parts([""])
    assert part.gauge and part.dualisable


def test_labelled_groups_beside_a_ridge_have_a_conjugate(x64):
    g, u = jr.GroupL2([0, 0, 1], weights=np.ones(2)) + 0.5 * jr.Ridge(), np.array([3.0, 4.0, 0.5])
    np.testing.assert_allclose(g.conjugate(u), (5.0 - 1.0) ** 2 / (2 * 0.5))
