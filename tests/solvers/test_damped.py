"""Damped Newton: a step or two for quadratics, few for other losses; infinite strengths; what it refuses."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import jaxreg as jr

LOSSES = (jr.Squared(), jr.Huber(), jr.Logistic(), jr.Poisson())
JOINT = jr.multitask(jr.risk(jr.linear, jr.Squared()), axes=0)


def sample(dtype, loss: jr.Loss = LOSSES[0], n: int = 30) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 4)) * np.array([1.0, 10.0, 0.1, 1.0])
    z = X @ np.array([1.0, 0.05, -3.0, 0.0]) + 0.5
    y = rng.poisson(np.exp(z / 2)) if isinstance(loss, jr.Poisson) else z + rng.normal(size=n)
    return X.astype(dtype), (y > 0 if isinstance(loss, jr.Logistic) else y).astype(dtype)


def tasks(dtype) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(3, 8, 4))
    return X.astype(dtype), (X @ np.ones(4) + rng.normal(size=(3, 8))).astype(dtype)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_few_steps_to_the_floor(loss: jr.Loss, dtype: np.dtype):
    data = sample(dtype, loss)
    risk, init = jr.risk(jr.linear, loss), jr.linear_params(data)
    tol = 1e-12 if dtype == np.float64 else 3e-5
    sol = jr.minimize(risk, 1e-3 * jr.Ridge(), init, data, tol=tol, solver=jr.DampedNewton(), max_steps=20)
    assert sol.status == jr.Status.CONVERGED and sol.steps <= (2 if loss.quadratic else 12)


def test_it_is_the_default_where_it_serves(x64):
    data = sample("float64", LOSSES[2])
    init = jr.linear_params(data)
    risk = jr.risk(jr.linear, jr.Logistic())
    auto = jr.minimize(risk, 0.1 * jr.Ridge(), init, data, tol=1e-12)
    slow = jr.minimize(risk, 0.1 * jr.Ridge(), init, data, tol=1e-12, solver=jr.FISTA(), max_steps=100_000)
    assert auto.steps <= 12 < slow.steps and slow.status == auto.status == 0
    for a, b in zip(auto.params.values(), slow.params.values(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_logistic_ridge_is_that_of_scikit_learn(x64):
    X, y = sample("float64", LOSSES[2])
    sol = jr.minimize(jr.risk(jr.linear, jr.Logistic()), 0.1 * jr.Ridge(), jr.linear_params((X, y)), (X, y), tol=1e-13)
    peer = LogisticRegression(C=1 / (0.1 * len(y)), tol=1e-12, max_iter=10_000).fit(X, y)
    np.testing.assert_allclose(sol.params["coef"], peer.coef_[0], atol=1e-6)
    np.testing.assert_allclose(sol.params["intercept"], peer.intercept_[0], atol=1e-6)


@pytest.mark.parametrize("penalty", [0.3 * jr.ToMean(), np.array([[0.0], [0.2], [5.0]]) * jr.Ridge()], ids=repr)
def test_coupled_tasks_are_those_of_newton_and_fista(penalty: jr.Penalty, x64):
    data, init = tasks("float64"), jr.linear_params(tasks("float64"))
    made = [
        jr.minimize(JOINT, penalty, init, data, tol=1e-12, solver=s, max_steps=50_000)
        for s in (jr.DampedNewton(), jr.Newton(), jr.FISTA())
    ]
    assert all(sol.status == 0 for sol in made) and made[0].steps <= 2
    for other in made[1:]:
        np.testing.assert_allclose(made[0].params["coef"], other.params["coef"], atol=1e-5)


def test_infinite_strengths_exclude_and_tie(x64):
    data = sample("float64")
    strengths = np.array([0.1, np.inf, 0.0, 0.1])
    risk = jr.risk(jr.linear, jr.Squared())
    sol = jr.minimize(risk, strengths * jr.Ridge(), np.ones(4), data, tol=1e-10, solver=jr.DampedNewton())
    kept = np.isfinite(strengths)
    less = jr.minimize(risk, strengths[kept] * jr.Ridge(), np.zeros(3), (data[0][:, kept], data[1]), tol=1e-10)
    assert sol.status == 0 and sol.params[1] == 0
    np.testing.assert_allclose(sol.params[kept], less.params, atol=1e-8)
    X, y = tasks("float64")
    tied = jr.minimize(JOINT, np.inf * jr.ToMean(), np.zeros((3, 4)), (X, y), tol=1e-10, solver=jr.DampedNewton())
    pooled = np.linalg.lstsq(X.reshape(24, 4), y.ravel())[0]
    assert tied.status == 0
    np.testing.assert_allclose(tied.params, np.broadcast_to(pooled, (3, 4)), atol=1e-6)


def test_what_it_refuses():
    data = sample("float32")
    with pytest.raises(TypeError, match="gradient everywhere"):
        jr.minimize(jr.risk(jr.linear, jr.Squared()), 0.1 * jr.L1(), np.zeros(4), data, solver=jr.DampedNewton())
    risk = jr.risk(lambda p, X: X @ p, jr.Squared())
    with pytest.raises(TypeError, match="linear models"):
        jr.minimize(risk, 0.1 * jr.Ridge(), np.zeros(4), data, solver=jr.DampedNewton())
