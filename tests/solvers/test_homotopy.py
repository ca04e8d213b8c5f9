"""The lasso from knot to knot: against LARS of scikit-learn, and where rounding and ties spoil it."""

import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import lars_path_gram

import jaxreg as jr
from jaxreg.paths._knots import lasso_weights
from jaxreg.solvers.homotopy import lasso_paths

SQUARED = jr.risk(jr.linear, jr.Squared())


def grams(count: int, n: int, p: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Second moments of correlated features, whose coefficients change sign on the way."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(count, n, p)) + 1.5 * rng.normal(size=(count, n, 1))
    y = X[..., 0] - X[..., 1] + 0.5 * X[..., 2] + rng.normal(size=(count, n))
    return np.einsum("bni,bnj->bij", X, X) / n, np.einsum("bni,bn->bi", X, y) / n


def test_paths_pass_the_knots_of_lars(x64):
    G, c = grams(5, 40, 12)
    strengths = np.abs(c).max() * np.geomspace(1, 1e-3, 30)
    found = np.asarray(lasso_paths(G, c, np.ones_like(c), strengths))
    signs = 0
    for b in range(5):
        knots, _, coefs = lars_path_gram(Xy=c[b], Gram=G[b], n_samples=1, method="lasso", alpha_min=strengths[-1])
        expected = np.stack([np.interp(-strengths, -knots, one) for one in coefs], 1)
        np.testing.assert_allclose(found[b], expected, atol=1e-11)
        np.testing.assert_array_equal(found[b] != 0, np.abs(expected) > 1e-13)
        signs += (np.diff(np.sign(coefs), axis=1) * np.sign(coefs[:, 1:]) == 0).sum()
    assert signs > 0


def test_features_that_leave_are_exactly_zero_until_they_return(x64):
    G, c = grams(40, 15, 10, seed=1)
    strengths = np.abs(c).max() * np.geomspace(1, 1e-4, 200)
    found = np.asarray(lasso_paths(G, c, np.ones_like(c), strengths))
    left = (found[:, :-1] != 0) & (found[:, 1:] == 0)
    assert left.any()
    slack = np.abs(c[:, None] - np.einsum("bij,blj->bli", G, found)) - strengths[:, None]
    assert slack.max() < 1e-10 * np.abs(c).max()


@pytest.mark.parametrize("unit", [1e-8, 1e8])
def test_the_unit_of_the_risk_changes_nothing(unit: float, x64):
    G, c = grams(40, 15, 10, seed=1)
    strengths = np.abs(c).max() * np.geomspace(1, 1e-4, 200)
    plain = np.asarray(lasso_paths(G, c, np.ones_like(c), strengths))
    found = np.asarray(lasso_paths(unit * G, unit * c, np.ones_like(c), unit * strengths))
    np.testing.assert_allclose(found, plain, atol=1e-10)
    np.testing.assert_array_equal(found == 0, plain == 0)


def test_weights_scale_and_exclude(x64):
    G, c = grams(3, 40, 6)
    weights = np.array([1.0, 2.0, np.inf, 0.5, 1.0, np.inf])
    strengths = np.abs(c).max() * np.geomspace(2, 1e-2, 20)
    found = np.asarray(lasso_paths(G, c, np.broadcast_to(weights, c.shape), strengths))
    assert (found[..., [2, 5]] == 0).all() and (found[..., [0, 1, 3, 4]] != 0).any((0, 1)).all()
    kept = [0, 1, 3, 4]
    k = weights[kept]
    alone = np.asarray(
        lasso_paths(G[:, kept][:, :, kept] / (k[:, None] * k), c[:, kept] / k, np.ones((3, 4)), strengths)
    )
    np.testing.assert_allclose(found[..., kept], alone / k, atol=1e-11)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_duplicated_constant_and_collinear_features_stay_finite_and_optimal(dtype: str, x64):
    G, c = grams(2, 60, 5)
    mix = np.zeros((5, 8))
    mix[:, :5], mix[:, 5], mix[:2, 6] = np.eye(5), np.eye(5)[0], 1.0
    G, c = (mix.T @ G @ mix).astype(dtype), (c @ mix).astype(dtype)
    strengths = (np.abs(c).max() * np.geomspace(1, 1e-3, 30)).astype(dtype)
    found = np.asarray(lasso_paths(G, c, np.ones_like(c), strengths), float)
    assert np.isfinite(found).all() and (found[..., 7] == 0).all()
    slack = np.abs(c[:, None] - np.einsum("bij,blj->bli", G, found)) - strengths[:, None]
    assert slack.max() < (1e-10 if dtype == "float64" else 1e-4) * np.abs(c).max()


def test_batches_of_any_size_agree(x64):
    G, c = grams(150, 30, 32)
    strengths = np.abs(c).max() * np.geomspace(1, 1e-2, 10)
    all_at_once = lasso_paths(G, c, np.ones_like(c), strengths)
    one = lasso_paths(G[140:141], c[140:141], np.ones((1, 32)), strengths)
    assert all_at_once.shape == (150, 10, 32)
    np.testing.assert_allclose(all_at_once[140], one[0], atol=1e-12)


def test_whom_it_serves():
    shape = (3,)
    np.testing.assert_array_equal(lasso_weights(2.0 * jr.L1(), shape), np.full(3, 2.0))
    np.testing.assert_array_equal(lasso_weights(jnp.array([1.0, jnp.inf, 3.0]) * jr.L1(), shape), [1, np.inf, 3])
    for other in (jr.L1() + jr.Ridge(), jr.L1(positive=True), jr.AsymmetricL1(0.3), jr.Ridge(), jr.L1().shift(1.0)):
        assert lasso_weights(other, shape) is None
    assert lasso_weights(jnp.array([1.0, 0.0, 3.0]) * jr.L1(), shape) is None


def ragged(seed: int = 0):
    rng = np.random.default_rng(seed)
    pairs = []
    for m in (30, 12, 7, 1):
        X = rng.normal(size=(m, 5)) + rng.normal(size=(m, 1))
        pairs.append((X, X[:, 0] - X[:, 1] + rng.normal(size=m) + 4))
    return jr.tasks(pairs)


@pytest.mark.parametrize("intercept", [True, False])
def test_tasks_agree_with_every_task_alone(intercept: bool, x64):
    T = ragged()
    joint, init = jr.multitask(SQUARED, axes=0), jr.linear_params(T.data, intercept=intercept)
    weights = np.array([[1.0], [2.0], [0.5], [1.0]]) * np.array([1.0, 1.0, np.inf, 1.0, 3.0])
    fits = jr.path(joint, weights * jr.L1(), T.data, weights=T.weights, init=init, num=20, tol=1e-12)
    assert fits.route == "moments" and (fits.status == 0).all() and fits.gap.max() < 1e-12
    coef = np.asarray(fits.params["coef"] if intercept else fits.params)
    for t in range(4):
        data, w = (T.data[0][t], T.data[1][t]), T.weights[t]
        start = jr.linear_params(data, intercept=intercept)
        alone = jr.path(
            SQUARED,
            weights[t] * jr.L1(),
            data,
            weights=w,
            init=start,
            strengths=fits.strengths,
            route="rows",
            tol=1e-12,
        )
        own = alone.params["coef"] if intercept else alone.params
        np.testing.assert_allclose(coef[:, t], own, atol=1e-7)


def test_folds_of_tasks_agree_with_the_generic_route(x64):
    T = ragged()
    joint = jr.multitask(SQUARED, axes=0, task_weights=np.array([1.0, 0.0, 2.0, 1.0]))
    masks = np.zeros((3, *T.weights.shape), bool)
    for k in range(3):
        masks[k, :, k::3] = True
    options = {"weights": T.weights, "folds": masks, "num": 12, "init": jr.linear_params(T.data), "tol": 1e-10}
    fast = jr.cross_validate(joint, jr.L1(), T.data, **options)
    slow = jr.cross_validate(joint, jr.L1(), T.data, route="generic", **options)
    assert (fast.status == 0).all() and (fast.path.params["coef"][:, 1] == 0).all()
    np.testing.assert_allclose(fast.scores, slow.scores, rtol=1e-5)
    np.testing.assert_allclose(fast.path.value, slow.path.value, rtol=1e-8)
    assert fast.best == slow.best


def test_a_lane_that_the_knots_fail_is_solved_another_way(x64, monkeypatch):
    T = ragged()
    joint, init = jr.multitask(SQUARED, axes=0), jr.linear_params(T.data)
    good = jr.path(joint, jr.L1(), T.data, weights=T.weights, init=init, num=8, tol=1e-9)
    monkeypatch.setattr("jaxreg.paths._knots.lasso_paths", lambda G, c, k, s: jnp.zeros((len(c), len(s), c.shape[1])))
    rescued = jr.path(joint, jr.L1(), T.data, weights=T.weights, init=init, num=8, tol=1e-9)
    assert (rescued.status == 0).all()
    np.testing.assert_allclose(rescued.value, good.value, rtol=1e-7)
    data = T.data[0][0], T.data[1][0]
    alone = jr.path(SQUARED, jr.L1(), data, init=jr.linear_params(data), num=8, tol=1e-9)
    assert (alone.status == 0).all() and alone.steps.max() > 0
