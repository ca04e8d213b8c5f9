"""Problems that scikit-learn solves too, with the certificate asserted and a step budget."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.linear_model import ElasticNet, Lasso, LassoCV, LogisticRegression, MultiTaskLasso, Ridge
from sklearn.model_selection import KFold

import jaxreg as jr
import oracles

SQUARED = jr.risk(jr.linear, jr.Squared())
LOGISTIC = jr.risk(jr.linear, jr.Logistic())
FIRST_ORDER = {"float32": 1e-4, "float64": 1e-13}
TIGHT = {"FISTA": FIRST_ORDER, "Optax": FIRST_ORDER, "Newton": {"float32": 1e-4, "float64": 1e-10}}
BUDGET = {"FISTA": 3000, "Newton": 60, "Optax": 15_000}
SHAPES = ((40, 8), (12, 20))


def regression(n: int, p: int, outputs: tuple = ()) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(n + p)
    X = rng.normal(size=(n, p)) @ np.diag(np.geomspace(0.5, 2, p))
    truth = rng.normal(size=(p, *outputs)) * (np.arange(p) < 5).reshape(p, *[1] * len(outputs))
    return X, X @ truth + 0.3 * rng.normal(size=(n, *outputs))


def solver(name: str, penalty: jr.Penalty, X: np.ndarray):
    if name != "Optax":
        return {"FISTA": jr.FISTA, "Newton": jr.Newton}[name]()
    rate = float(0.9 * len(X) / np.linalg.norm(X, 2) ** 2)
    return jr.Optax(optax.chain(optax.sgd(rate), jr.proximal(penalty, rate)))


def certified(sol: jr.Solution, name: str, dtype: np.dtype) -> None:
    assert sol.status == jr.Status.CONVERGED and sol.gap <= TIGHT[name][dtype.name]
    assert sol.steps <= BUDGET[name], f"{int(sol.steps)} steps"
    assert all(x.dtype == dtype for x in (sol.value, sol.gap))


def fit(name: str, penalty: jr.Penalty, X, y, dtype, risk=SQUARED, intercept: bool = False) -> jr.Solution:
    X, y = X.astype(dtype), y.astype(dtype)
    init = jr.linear_params((X, y), intercept=intercept)
    tol = TIGHT[name][dtype.name]
    sol = jr.minimize(risk, penalty, init, (X, y), solver=solver(name, penalty, X), tol=tol, max_steps=BUDGET[name])
    certified(sol, name, dtype)
    return sol


def judged(name: str, dtype: np.dtype) -> float:
    """What the judge's gap may be: ten times what was asked, for it is taken in float64."""
    return 10 * TIGHT[name][dtype.name] + 1e-12


def agree(ours, theirs, dtype: np.dtype) -> None:
    tol = 1e-6 if dtype == np.float64 else 2e-2
    np.testing.assert_allclose(ours, theirs, rtol=tol, atol=tol)


@pytest.mark.parametrize("name", BUDGET)
@pytest.mark.parametrize("shape", SHAPES, ids=["tall", "wide"])
def test_lasso(name: str, shape: tuple, dtype: np.dtype):
    X, y = regression(*shape)
    sol = fit(name, 0.1 * jr.L1(), X, y, dtype)
    peer = Lasso(alpha=0.1, fit_intercept=False, tol=1e-14, max_iter=10**6).fit(X, y)
    agree(sol.params, peer.coef_, dtype)
    value, gap = oracles.lasso_gap(X, y, np.asarray(sol.params, float), 0.1)
    assert np.isclose(sol.value, value, rtol=1e-5) and -1e-12 < gap < judged(name, dtype)
    if dtype == np.float64:
        np.testing.assert_array_equal(np.asarray(sol.params) != 0, peer.coef_ != 0)


@pytest.mark.parametrize("name", ["FISTA", "Newton"])
def test_elastic_net_with_intercept(name: str, dtype: np.dtype):
    X, y = regression(*SHAPES[0])
    X, y = X + 1, y + 3
    sol = fit(name, 0.05 * jr.L1() + 0.15 * jr.Ridge(), X, y, dtype, intercept=True)
    peer = ElasticNet(alpha=0.2, l1_ratio=0.25, tol=1e-14, max_iter=10**6).fit(X, y)
    agree(sol.params["coef"], peer.coef_, dtype)
    agree(sol.params["intercept"], peer.intercept_, dtype)
    Xc, yc = X - X.mean(0), y - y.mean()
    gap = oracles.lasso_gap(Xc, yc, np.asarray(sol.params["coef"], float), 0.05, 0.15)[1]
    assert -1e-12 < gap < 2 * judged(name, dtype) * (y @ y) / (yc @ yc)


@pytest.mark.parametrize("name", BUDGET)
def test_ridge(name: str, dtype: np.dtype):
    X, y = regression(*SHAPES[0])
    sol = fit(name, 0.3 * jr.Ridge(), X, y, dtype)
    agree(sol.params, Ridge(alpha=0.3 * len(y), fit_intercept=False, tol=1e-12).fit(X, y).coef_, dtype)


@pytest.mark.parametrize("name", ["FISTA", "Newton"])
def test_multitask_lasso(name: str, dtype: np.dtype):
    """Several outputs of shared rows: the norm runs over outputs, the last axis of (p, k)."""
    X, Y = regression(*SHAPES[0], (3,))
    sol = fit(name, 0.3 * jr.L2(axis=1), X, Y, dtype)
    peer = MultiTaskLasso(alpha=0.3, fit_intercept=False, tol=1e-14, max_iter=10**6).fit(X, Y)
    agree(sol.params, peer.coef_.T, dtype)
    value, gap = oracles.multitask_lasso_gap(X, Y, np.asarray(sol.params, float), 0.3)
    assert np.isclose(sol.value, value, rtol=1e-5) and -1e-12 < gap < judged(name, dtype)


@pytest.mark.parametrize("name", ["FISTA", "Newton"])
def test_multitask_lasso_over_tasks_with_shared_rows(name: str, x64):
    """The sum over tasks of each task's mean, L2 along the task axis: the same problem."""
    X, Y = regression(*SHAPES[0], (3,))
    data = (np.broadcast_to(X, (3, *X.shape)), Y.T)
    g, chosen, tol = 0.3 * jr.L2(axis=0), solver(name, jr.L2(axis=0), X), TIGHT[name]["float64"]
    sol = jr.minimize(jr.multitask(SQUARED), g, np.zeros((3, 8)), data, solver=chosen, tol=tol)
    certified(sol, name, np.dtype("float64"))
    peer = MultiTaskLasso(alpha=0.3, fit_intercept=False, tol=1e-14, max_iter=10**6).fit(X, Y)
    agree(sol.params, peer.coef_, np.dtype("float64"))


@pytest.mark.parametrize("intercept", [False, True])
def test_logistic_l1(intercept: bool, dtype: np.dtype):
    X, score = regression(60, 8)
    y = (score + (0.5 if intercept else 0.0) > 0).astype(float)
    sol = fit("FISTA", 0.03 * jr.L1(), X, y, dtype, LOGISTIC, intercept)
    peer = LogisticRegression(
        C=1 / (0.03 * len(y)), l1_ratio=1, solver="saga", fit_intercept=intercept, tol=1e-12, max_iter=10**6
    ).fit(X, y)
    coef = sol.params["coef"] if intercept else sol.params
    agree(coef, peer.coef_[0], dtype)
    if intercept:
        agree(sol.params["intercept"], peer.intercept_[0], dtype)
    else:
        value, gap = oracles.logistic_gap(X, y, np.asarray(coef, float), 0.03)
        assert np.isclose(sol.value, value, rtol=1e-5) and -1e-12 < gap < judged("FISTA", dtype)


def test_lasso_cv(x64):
    X, y = regression(*SHAPES[0])
    alphas = np.geomspace(1.0, 0.01, 15)
    peer = LassoCV(alphas=alphas, cv=KFold(5), tol=1e-13, max_iter=10**6).fit(X, y)
    cv = jr.cross_validate(
        SQUARED, jr.L1(), (X, y), folds=5, strengths=alphas, init=jr.linear_params((X, y)), tol=1e-10
    )
    assert (cv.gap <= 1e-10).all() and (cv.status == 0).all() and (cv.path.gap <= 1e-10).all()
    np.testing.assert_allclose(2 * cv.scores.T, peer.mse_path_, rtol=1e-6)
    assert np.isclose(cv.strengths[cv.best], peer.alpha_)
    np.testing.assert_allclose(cv.params["coef"], peer.coef_, atol=1e-6)
    np.testing.assert_allclose(cv.params["intercept"], peer.intercept_, atol=1e-6)


def ragged() -> jr.Tasks:
    rng = np.random.default_rng(0)
    blocks = []
    for m in (5, 12, 2, 30):
        X = rng.normal(size=(m, 4))
        blocks.append((X, X @ np.array([1.0, -1.0, 0.5, 0.0]) + rng.normal(size=m)))
    return jr.tasks(blocks)


@pytest.mark.parametrize("name", ["FISTA", "Newton"])
def test_the_classical_objective_is_one_ridge_per_task(name: str, x64):
    """Σₜ 1/(2mₜ)(‖Xₜθₜ - yₜ‖² + λ‖θₜ‖²): θₜ = (X'X + λI)⁻¹X'y, exactly, for ragged tasks."""
    t, strength = ragged(), 0.7
    m = np.asarray(t.counts)
    penalty = (strength / m)[:, None] * jr.Ridge()
    chosen, tol = jr.FISTA() if name == "FISTA" else jr.Newton(), TIGHT[name]["float64"]
    sol = jr.minimize(
        jr.multitask(SQUARED),
        penalty,
        np.zeros((4, 4)),
        t.data,
        t.weights,
        solver=chosen,
        tol=tol,
        max_steps=50_000,
    )
    assert sol.status == 0 and sol.gap <= tol
    total = 0.0
    for X, y, theta in zip(t.ragged(t.data[0]), t.ragged(t.data[1]), sol.params, strict=True):
        exact = np.linalg.solve(X.T @ X + strength * np.eye(4), X.T @ y)
        np.testing.assert_allclose(theta, exact, atol=1e-5 if name == "FISTA" else 1e-6)
        r = X @ exact - y
        total += (r @ r + strength * exact @ exact) / (2 * len(y))
    np.testing.assert_allclose(sol.value, total, rtol=1e-9)


@pytest.mark.parametrize("name", ["FISTA", "Newton"])
def test_to_mean_lies_between_pooled_and_independent(name: str, x64):
    t, joint = ragged(), jr.multitask(SQUARED)
    chosen, tol = (jr.FISTA(), 1e-12) if name == "FISTA" else (jr.Newton(), 1e-10)

    def solve(strength: float) -> np.ndarray:
        g = strength * jr.ToMean() + 1e-2 * jr.Ridge()
        sol = jr.minimize(joint, g, np.zeros((4, 4)), t.data, t.weights, solver=chosen, tol=tol, max_steps=50_000)
        assert sol.status == 0, (strength, sol.status, sol.gap)
        return np.asarray(sol.params)

    X, y, m = t.data[0], t.data[1], np.asarray(t.counts)
    normal = [np.asarray(X[i].T @ X[i] / m[i]) for i in range(4)]
    cross = [np.asarray(X[i].T @ y[i] / m[i]) for i in range(4)]
    alone = np.stack([np.linalg.solve(a + 1e-2 * np.eye(4), b) for a, b in zip(normal, cross, strict=True)])
    pooled = np.linalg.solve(sum(normal) + 4e-2 * np.eye(4), sum(cross))
    np.testing.assert_allclose(solve(0.0), alone, atol=1e-6)
    np.testing.assert_allclose(solve(np.inf), np.broadcast_to(pooled, (4, 4)), atol=1e-6)
    spread = [np.ptp(solve(s), axis=0).sum() for s in (0.01, 0.1, 1.0, 10.0)]
    assert np.ptp(alone, axis=0).sum() > spread[0] and np.all(np.diff(spread) < 0)


def test_duplicated_rows_are_weights(x64):
    X, y = regression(*SHAPES[0])
    w = jnp.asarray(np.random.default_rng(0).integers(0, 3, len(y)).astype(float))
    rows = np.repeat(np.arange(len(y)), np.asarray(w, int))
    kwargs = {"init": np.zeros(8), "solver": jr.FISTA(), "tol": 1e-13}
    weighted = jr.minimize(SQUARED, 0.1 * jr.L1(), data=(X, y), weights=w, **kwargs)
    repeated = jr.minimize(SQUARED, 0.1 * jr.L1(), data=(X[rows], y[rows]), **kwargs)
    np.testing.assert_allclose(weighted.params, repeated.params, atol=1e-8)
