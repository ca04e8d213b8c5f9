"""Proximal Newton: few steps to the optimum of peers, for every loss and penalty it serves; what it refuses."""

import jax
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import jaxreg as jr

LOSSES = (jr.Logistic(), jr.Poisson(), jr.Huber(), jr.NegativeBinomial(0.5), jr.SquaredHinge())
LOGISTIC = jr.risk(jr.linear, jr.Logistic())
PENALTIES = {
    "lasso": 0.02 * jr.L1(),
    "elastic net": 0.02 * jr.L1() + 0.1 * jr.Ridge(),
    "weights": np.array([0.0, 0.02, 0.1, np.inf, 0.02, 0.3]) * jr.L1(),
    "positive": 0.02 * jr.L1(positive=True),
    "signs": 0.02 * jr.L1() + jr.NonNegative(),
}


def sample(loss: jr.Loss, dtype, n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 6)) * np.array([1.0, 5.0, 0.2, 1.0, 1.0, 1.0]) + np.array([0, 3.0, 0, 0, 1.0, 0])
    z = X @ np.array([1.0, 0.1, -2.0, 0.5, 0.0, 0.0]) - 0.5
    if isinstance(loss, (jr.Poisson, jr.NegativeBinomial)):
        return X.astype(dtype), rng.poisson(np.exp(np.clip(z, -3, 2))).astype(dtype)
    y = z + 0.7 * rng.normal(size=n)
    return X.astype(dtype), (y > 0 if isinstance(loss, (jr.Logistic, jr.SquaredHinge)) else y).astype(dtype)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_few_steps_to_the_floor(loss: jr.Loss, dtype: np.dtype):
    data, risk = sample(loss, dtype), jr.risk(jr.linear, loss)
    tol = 1e-12 if dtype == np.float64 else 3e-5
    init = jr.linear_params(data)
    sol = jr.minimize(risk, 0.03 * jr.L1(), init, data, tol=tol, solver=jr.ProximalNewton(), max_steps=30)
    assert sol.status == jr.Status.CONVERGED and sol.steps <= 15


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("strength", [1e-3, 0.05])
def test_logistic_lasso_is_that_of_scikit_learn(strength: float, intercept: bool, x64):
    X, y = sample(LOSSES[0], "float64")
    init = jr.linear_params((X, y), intercept=intercept)
    sol = jr.minimize(LOGISTIC, strength * jr.L1(), init, (X, y), tol=1e-12)
    peer = LogisticRegression(
        C=1 / (strength * len(y)), l1_ratio=1, solver="saga", fit_intercept=intercept, tol=1e-12, max_iter=10**6
    ).fit(X, y)
    np.testing.assert_allclose(sol.params["coef"] if intercept else sol.params, peer.coef_[0], atol=1e-6)
    if intercept:
        np.testing.assert_allclose(sol.params["intercept"], peer.intercept_[0], atol=1e-6)


@pytest.mark.parametrize("name", PENALTIES)
def test_it_agrees_with_fista_and_is_the_default(name: str, x64):
    data, penalty = sample(LOSSES[0], "float64"), PENALTIES[name]
    init = jr.linear_params(data)
    auto, slow = (
        jr.minimize(LOGISTIC, penalty, init, data, tol=1e-10, solver=s, max_steps=200_000) for s in (None, jr.FISTA())
    )
    assert auto.status == slow.status == 0 and auto.steps <= 15 < slow.steps
    np.testing.assert_allclose(auto.value, slow.value, rtol=1e-9)
    for a, b in zip(jax.tree.leaves(auto.params), jax.tree.leaves(slow.params), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-4)
    np.testing.assert_array_equal(auto.params["coef"] == 0, slow.params["coef"] == 0)


def test_more_features_than_rows_and_copies_of_columns(x64):
    X, y = sample(LOSSES[0], "float64", 20)
    wide = np.concatenate([X, X, np.random.default_rng(1).normal(size=(20, 40)), 0 * X[:, :1]], 1)
    fits = jr.path(LOGISTIC, jr.L1(), (wide, y), init=jr.linear_params((wide, y)), num=15, tol=1e-8)
    assert (fits.status == 0).all() and fits.gap.max() <= 1e-8 and (fits.params["coef"][:, -1] == 0).all()
    assert (fits.params["coef"][0] == 0).all() and (fits.params["coef"][1] != 0).any()


@pytest.mark.parametrize("intercept", [True, False])
def test_the_path_begins_where_the_first_coefficient_enters(intercept: bool, dtype: np.dtype):
    data = sample(LOSSES[0], dtype)
    init = jr.linear_params(data, intercept=intercept)
    top = jr.strength_max(LOGISTIC, jr.L1(), data, init=init)
    assert top.dtype == dtype
    tol = 1e-10 if dtype == np.float64 else 1e-5
    for share, count in ((1.01, 0), (0.98, 1)):
        sol = jr.minimize(LOGISTIC, share * top * jr.L1(), init, data, tol=tol)
        assert (np.asarray(sol.params["coef"] if intercept else sol.params) != 0).sum() == count
    if dtype == np.float64:
        traced = jax.jit(lambda d: jr.strength_max(LOGISTIC, jr.L1(), d, init=init))(data)
        np.testing.assert_allclose(traced, top, rtol=1e-6)


def test_folds_are_those_of_sliced_rows(x64):
    X, y = sample(LOSSES[0], "float64")
    init = jr.linear_params((X, y))
    cv = jr.cross_validate(LOGISTIC, jr.L1(), (X, y), init=init, folds=3, num=8, tol=1e-10)
    assert (cv.status == 0).all()
    held = np.arange(60) < 20
    alone = jr.path(LOGISTIC, jr.L1(), (X[~held], y[~held]), init=init, strengths=cv.strengths, tol=1e-10)
    np.testing.assert_allclose(cv.fold_params["coef"][0], alone.params["coef"], atol=1e-6)


def test_derivative_in_the_strength(x64):
    data = sample(LOSSES[0], "float64")
    init = jr.linear_params(data)

    def coef(s):
        return jr.minimize(LOGISTIC, s * jr.L1(), init, data, tol=1e-13).params["coef"]

    slope = jax.jacfwd(coef)(0.05)
    np.testing.assert_allclose(slope, (coef(0.0501) - coef(0.0499)) / 2e-4, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    "penalty", [0.1 * jr.L2(), 0.1 * jr.GroupL2([0, 0, 1, 1, 2, 2]), 0.02 * jr.SLOPE(np.arange(6.0, 0, -1))]
)
@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_penalties_of_groups_in_few_steps(loss: jr.Loss, penalty: jr.Penalty, x64):
    data, risk = sample(loss, "float64"), jr.risk(jr.linear, loss)
    init = jr.linear_params(data)
    sol = jr.minimize(risk, penalty, init, data, tol=1e-9)
    slow = jr.minimize(risk, penalty, init, data, tol=1e-9, solver=jr.FISTA(), max_steps=200_000)
    assert sol.status == slow.status == jr.Status.CONVERGED and sol.steps <= 30
    np.testing.assert_allclose(sol.value, slow.value, rtol=1e-8)


def test_what_it_refuses():
    X, y = sample(LOSSES[0], "float32")
    for penalty in (jr.MCP(0.1), 0.1 * jr.L1() + 0.1 * jr.L1().of(np.eye(6, dtype="f4"))):
        with pytest.raises(TypeError, match="convex penalties of the coefficients whose blocks have a prox"):
            jr.minimize(LOGISTIC, penalty, np.zeros(6, "f4"), (X, y), solver=jr.ProximalNewton())
    with pytest.raises(TypeError, match="one output for every task"):
        jr.minimize(
            LOGISTIC, 0.1 * jr.L1(), np.zeros((6, 2), "f4"), (X, np.stack([y, y], 1)), solver=jr.ProximalNewton()
        )
