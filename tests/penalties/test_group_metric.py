"""Norms of groups in a diagonal metric: against bisection and a conic solver, and their derivatives."""

import cvxpy as cp
import jax
import numpy as np
import pytest
from jax.test_util import check_grads

import jaxreg as jr

LABELS = [0, 0, 1, 1, 1, 0]


def bisected(x: np.ndarray, step: np.ndarray) -> np.ndarray:
    """The prox of one group by halving an interval of the result's norm."""
    low, high = 0.0, float(np.linalg.norm(x))
    for _ in range(200):
        middle = 0.5 * (low + high)
        above = np.linalg.norm(x / np.maximum(middle + step, 1e-300)) > 1
        low, high = (middle, high) if above else (low, middle)
    return x * low / (low + step)


@pytest.mark.parametrize("spread", [0.1, 1.0, 4.0])
def test_steps_over_many_decades_are_bisection(spread: float, dtype: np.dtype):
    rng = np.random.default_rng(0)
    x, step = rng.normal(size=(5, 40)), 10 ** rng.uniform(-spread, spread, (5, 40))
    x = np.where(np.arange(40) < 4, 0.3 * step, x * step**0.5)
    x, step = x.astype(dtype), step.astype(dtype)
    expected = np.stack([bisected(a, b) for a, b in zip(x.T.astype(float), step.T.astype(float), strict=True)], 1)
    assert 0 < (expected == 0).all(0).sum() < 40
    found = np.asarray(jr.L2(axis=0).prox(x, step))
    assert found.dtype == dtype
    np.testing.assert_array_equal((found == 0).all(0), (expected == 0).all(0))
    np.testing.assert_allclose(found, expected, rtol=500 * np.finfo(dtype).eps)


def test_labelled_groups_are_a_conic_solvers(x64):
    rng = np.random.default_rng(1)
    x, step, w = 2 * rng.normal(size=6), rng.uniform(0.2, 2, 6), np.array([0.5, 1.5])
    z = cp.Variable(6)
    norms = sum(w[k] * cp.norm(z[np.flatnonzero(np.array(LABELS) == k)]) for k in range(2))
    cp.Problem(cp.Minimize(norms + cp.sum(cp.multiply(0.5 / step, cp.square(z - x))))).solve(
        cp.CLARABEL, tol_gap_abs=1e-10, tol_gap_rel=1e-10, tol_feas=1e-10
    )
    np.testing.assert_allclose(jr.GroupL2(LABELS, weights=w).prox(x, step), z.value, atol=2e-5)


@pytest.mark.parametrize("penalty", [jr.L2(axis=0), jr.GroupL2(LABELS)], ids=["L2", "GroupL2"])
def test_derivatives_of_both_orders_are_finite_differences(penalty: jr.Penalty, x64):
    """In the point, the steps and the strength, forward and reverse; a group at zero has derivative 0."""
    rng = np.random.default_rng(2)
    x, step = 3 * rng.normal(size=(4, 6)), rng.uniform(0.1, 2, (4, 6))
    x[:, :2] *= 1e-3
    check_grads(lambda x, t, c: (c * penalty).prox(x, t), (x, step, 0.7), order=2, atol=1e-6, rtol=1e-6)
    if isinstance(penalty, jr.L2):
        slope = jax.jacobian(penalty.prox, (0, 1))(x, step)
        assert all(not np.any(s[:, :2]) for s in slope)


def test_free_and_excluded_entries_keep_finite_derivatives(x64):
    x, step = np.array([1.0, -2.0, 0.5, 0.0]), np.array([0.0, 0.3, np.inf, 0.2])
    z = jr.L2().prox(x, step)
    np.testing.assert_allclose(z, bisected(x, np.where(np.isinf(step), 1e300, step)), atol=1e-12)
    slopes = jax.jacobian(jr.L2().prox, (0, 1))(x, step)
    assert all(np.all(np.isfinite(s)) for s in slopes) and abs(slopes[0][0, 0] - 1) < 1e-12
