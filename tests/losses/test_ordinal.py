"""Proportional odds against a direct maximum-likelihood fit of the thresholds."""

import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize

import jaxreg as jr

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 2))
LATENT = X @ np.array([1.0, -0.5]) + RNG.logistic(size=80)
Y = np.digitize(LATENT, [-1.0, 0.2, 1.5])
RISK = jr.risk(jr.ordinal, jr.Ordinal())
INIT = {"coef": np.zeros(2), "intercept": np.zeros(3)}


def likelihood(v: np.ndarray) -> float:
    """Mean of -log(F(θ_y - η) - F(θ_(y-1) - η)), thresholds as they are."""
    cuts = np.concatenate([[-np.inf], v[2:], [np.inf]])
    if np.any(np.diff(cuts) <= 0):
        return np.inf
    with np.errstate(over="ignore"):
        at = [1 / (1 + np.exp(-(cuts[Y + s] - X @ v[:2]))) for s in (1, 0)]
    return -np.mean(np.log(at[0] - at[1])) + 0.5 * 0.05 * v[:2] @ v[:2]


def test_the_fit_is_that_of_the_likelihood_in_the_thresholds(x64):
    sol = jr.minimize(RISK, 0.05 * jr.Ridge(), INIT, (X, Y), tol=1e-8)
    start = np.array([0, 0, -1, 0, 1.0])
    options = {"xatol": 1e-10, "fatol": 1e-14, "maxiter": 20_000, "maxfev": 20_000}
    slow = scipy.optimize.minimize(likelihood, start, method="Nelder-Mead", options=options)
    assert sol.status == 0
    assert np.isclose(sol.value, slow.fun, rtol=1e-9)
    np.testing.assert_allclose(sol.params["coef"], slow.x[:2], atol=1e-4)
    cuts = -jr.ordinal(sol.params, np.zeros((1, 2)))[0]
    np.testing.assert_allclose(cuts, slow.x[2:], atol=1e-4)


def test_two_classes_are_logistic(dtype: np.dtype):
    z = RNG.normal(size=(10, 1)).astype(dtype) * 5
    y = RNG.integers(0, 2, 10)
    expected = jr.Logistic()(z[:, 0], y.astype(dtype))
    np.testing.assert_allclose(jr.Ordinal()(z, y), expected, rtol=10 * np.finfo(dtype).eps)


def test_probabilities_sum_to_one(dtype: np.dtype):
    scores = jr.ordinal({"coef": np.ones(2, dtype), "intercept": np.array([2, -3, 5], dtype)}, X.astype(dtype))
    assert scores.dtype == dtype and (np.diff(scores) < 0).all()
    total = sum(np.exp(-jr.Ordinal()(scores, np.full(80, k))) for k in range(4))
    np.testing.assert_allclose(total, 1.0, rtol=20 * np.finfo(dtype).eps)


def test_it_is_convex_in_the_scores(x64):
    z = -np.sort(-RNG.normal(size=(40, 1, 3)) * 3, -1)
    y = RNG.integers(0, 4, 1)
    hessian = jax.vmap(jax.hessian(lambda z: jnp.sum(jr.Ordinal()(z, y))))(z).reshape(40, 3, 3)
    assert np.linalg.eigvalsh(hessian).min() > -1e-9


def test_scores_that_do_not_fall_are_infinite_with_a_finite_gradient(dtype: np.dtype):
    z, y = np.array([[0.0, 0.0], [0.0, 1.0]], dtype), np.array([1, 1])
    assert np.isposinf(jr.Ordinal()(z, y)).all()
    assert np.isfinite(jax.grad(lambda z: jnp.sum(jr.Ordinal()(z, y)))(z)).all()
