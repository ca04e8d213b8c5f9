"""Losses and their fits against scikit-learn, optax, SciPy and textbook formulas."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.special
import scipy.stats
from sklearn.linear_model import (
    GammaRegressor,
    HuberRegressor,
    LogisticRegression,
    PoissonRegressor,
    QuantileRegressor,
    TweedieRegressor,
)
from sklearn.metrics import hinge_loss, log_loss, mean_absolute_error, mean_pinball_loss, mean_tweedie_deviance
from sklearn.svm import SVC, LinearSVC, LinearSVR

import jaxreg as jr

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
SCORE = X @ np.array([0.8, -0.5, 0.3]) + 0.2
CLASSES = (RNG.random(60) < 1 / (1 + np.exp(-2 * SCORE))).astype(float)
COUNTS = RNG.poisson(np.exp(SCORE)).astype(float)
AMOUNTS = RNG.gamma(2.0, np.exp(SCORE) / 2)
CLAIMS = AMOUNTS * (RNG.random(60) < 0.7)
NOISY = SCORE + RNG.standard_t(2, 60)


def fit(loss, y, strength=0.0):
    data = (X, y)
    sol = jr.minimize(jr.risk(jr.linear, loss), strength * jr.Ridge(), jr.linear_params((X, SCORE)), data, tol=1e-10)
    return np.asarray(sol.params["coef"]), float(sol.params["intercept"])


def test_values_of_peers(x64):
    z, labels = RNG.normal(size=(6, 3)), np.array([0, 2, 1, 1, 0, 2])
    y = (labels > 0).astype(float)
    probability = np.exp(z) / np.exp(z).sum(-1, keepdims=True)
    assert np.isclose(jnp.mean(jr.Softmax()(z, labels)), log_loss(labels, probability))
    scores, one = jnp.asarray(z), jnp.asarray(z[:, 0])
    np.testing.assert_allclose(
        jr.Softmax()(z, labels), optax.losses.softmax_cross_entropy_with_integer_labels(scores, labels)
    )
    np.testing.assert_allclose(jr.Softmax()(z, probability), optax.losses.softmax_cross_entropy(scores, probability))
    np.testing.assert_allclose(jr.Logistic()(z[:, 0], y), optax.losses.sigmoid_binary_cross_entropy(one, y))
    np.testing.assert_allclose(jr.Huber(0.7)(z[:, 0], y), optax.losses.huber_loss(one, y, delta=0.7))
    np.testing.assert_allclose(jr.Hinge()(z[:, 0], y), optax.losses.hinge_loss(one, 2 * y - 1))
    smoothed = optax.losses.smooth_labels(np.eye(3)[labels], 0.2)
    np.testing.assert_allclose(
        jr.label_smoothing(jr.Softmax(), 0.2)(z, labels), optax.losses.softmax_cross_entropy(scores, smoothed)
    )


def test_metrics_of_scikit_learn(x64):
    z = SCORE
    assert np.isclose(jnp.mean(jr.Absolute()(z, NOISY)), mean_absolute_error(NOISY, z))
    for level in (0.1, 0.5, 0.8):
        assert np.isclose(jnp.mean(jr.Quantile(level)(z, NOISY)), mean_pinball_loss(NOISY, z, alpha=level))
    assert np.isclose(jnp.mean(jr.Hinge()(z, CLASSES)), hinge_loss(CLASSES, z))


@pytest.mark.parametrize(
    ("loss", "y", "power"),
    [
        (jr.Poisson(), COUNTS, 1),
        (jr.Gamma(), AMOUNTS, 2),
        (jr.Tweedie(1.3), CLAIMS, 1.3),
        (jr.Tweedie(1.7), CLAIMS, 1.7),
    ],
)
def test_losses_are_half_the_deviance_up_to_a_constant(loss: jr.Loss, y: np.ndarray, power: float, x64):
    other = RNG.normal(size=60)
    ours = jnp.mean(loss(SCORE, y)) - jnp.mean(loss(other, y))
    peers = [mean_tweedie_deviance(y, np.exp(z), power=power) / 2 for z in (SCORE, other)]
    assert np.isclose(ours, peers[0] - peers[1])


@pytest.mark.parametrize("power", [1 + 1e-7, 1.0 + 1e-3, 2 - 1e-3, 2 - 1e-7])
def test_tweedie_tends_to_poisson_and_gamma(power: float, dtype: np.dtype):
    z, y = np.linspace(-6, 4, 21).astype(dtype), np.linspace(0.1, 4, 21).astype(dtype)
    limit = jr.Poisson() if power < 1.5 else jr.Gamma()
    near = min(abs(power - 1), abs(power - 2))
    made, expected = jr.Tweedie(power)(z, y), np.asarray(limit(z, y))
    np.testing.assert_allclose(made, expected, rtol=10 * near + 1e2 * np.finfo(dtype).eps, atol=1e2 * near)


def test_the_derivative_in_the_power_is_smooth_across_the_series(x64):
    """Central differences on both sides of where the series takes over, and at powers 1 and 2."""
    z, y = jnp.array([-2.0, 0.3, 1.7]), jnp.array([0.5, 2.0, 1.0])
    for p in (1.0, 1 + 1e-9, 1.004, 1.006, 1.5, 1.995, 2.0):
        total = lambda p: jnp.sum(jr.Tweedie(p)(z, y))  # noqa: E731
        h = 1e-5
        assert np.isclose(jax.grad(total)(p), (total(p + h) - total(p - h)) / (2 * h), rtol=1e-6)


def test_negative_binomial_is_minus_the_log_likelihood(x64):
    a, mean = 0.7, np.exp(SCORE)
    expected = -scipy.stats.nbinom.logpmf(COUNTS, 1 / a, 1 / (1 + a * mean))
    ours = np.asarray(jr.NegativeBinomial(a)(SCORE, COUNTS))
    constant = scipy.special.gammaln(COUNTS + 1 / a) - scipy.special.gammaln(1 / a) - scipy.special.gammaln(COUNTS + 1)
    np.testing.assert_allclose(ours - constant - COUNTS * np.log(a), expected)
    np.testing.assert_allclose(jr.NegativeBinomial(1e-9)(SCORE, COUNTS), jr.Poisson()(SCORE, COUNTS), rtol=1e-6)


@pytest.mark.parametrize(
    ("loss", "peer", "y"),
    [
        (jr.Poisson(), PoissonRegressor, COUNTS),
        (jr.Gamma(), GammaRegressor, AMOUNTS),
        (jr.Tweedie(1.5), lambda **k: TweedieRegressor(power=1.5, link="log", **k), CLAIMS),
        (jr.Tweedie(1.0), PoissonRegressor, COUNTS),
        (jr.Tweedie(2.0), GammaRegressor, AMOUNTS),
    ],
)
def test_generalised_linear_models_are_those_of_scikit_learn(loss: jr.Loss, peer, y: np.ndarray, x64):
    theirs = peer(alpha=0.1, tol=1e-10, max_iter=10_000).fit(X, y)
    coef, intercept = fit(loss, y, 0.1)
    np.testing.assert_allclose(coef, theirs.coef_, atol=1e-5)
    np.testing.assert_allclose(intercept, theirs.intercept_, atol=1e-5)


def test_an_offset_is_an_exposure(x64):
    """Rates: counts over exposures weighted by exposures have the same fit (scikit-learn's advice)."""
    exposure = RNG.uniform(0.5, 3.0, 60)
    counts = RNG.poisson(exposure * np.exp(SCORE)).astype(float)
    theirs = PoissonRegressor(alpha=0.0, tol=1e-10, max_iter=10_000).fit(X, counts / exposure, sample_weight=exposure)
    coef, intercept = fit(jr.offset(jr.Poisson()), np.stack([counts, np.log(exposure)], -1))
    np.testing.assert_allclose(coef, theirs.coef_, atol=1e-6)
    np.testing.assert_allclose(intercept, theirs.intercept_, atol=1e-6)


def test_an_offset_keeps_the_gap_and_its_default_parameters(x64):
    y = np.stack([COUNTS, RNG.normal(size=60)], -1)
    risk = jr.risk(jr.linear, jr.offset(jr.Poisson()))
    path = jr.path(risk, jr.L1(), (X, y), num=5)
    assert path.params.shape == (5, 3) and (path.gap < 1e-6).all() and not np.asarray(path.params[0]).any()


def test_offsets_and_smoothing_refuse_what_they_cannot_do():
    for loss in (jr.Softmax(), jr.Cox(), jr.offset(jr.Poisson()), lambda z, y: z):
        with pytest.raises(TypeError, match="prediction function"):
            jr.offset(loss)
    for loss in (jr.Poisson(), jr.Hinge(), lambda z, y: z):
        with pytest.raises(TypeError, match="needs a loss of probabilities"):
            jr.label_smoothing(loss, 0.1)


@pytest.mark.parametrize("amount", [0.0, 0.3, 1.0])
def test_smoothed_logistic_regression_is_a_mixture_of_rows(amount: float, x64):
    """Smoothing counts each row (1 - amount/2) times as it is and amount/2 times with the other label."""
    rows, labels = np.vstack([X, X]), np.hstack([CLASSES, 1 - CLASSES])
    w = np.repeat([1 - amount / 2, amount / 2], 60)
    theirs = LogisticRegression(C=1 / (0.1 * 60), tol=1e-10, max_iter=10_000).fit(rows, labels, w)
    coef, intercept = fit(jr.label_smoothing(jr.Logistic(), amount), CLASSES, 0.1)
    np.testing.assert_allclose(coef, theirs.coef_[0], atol=1e-5)
    np.testing.assert_allclose(intercept, theirs.intercept_[0], atol=1e-5)


def test_the_squared_hinge_is_that_of_linear_support_vector_machines(x64):
    theirs = LinearSVC(C=0.5, fit_intercept=False, tol=1e-10, max_iter=100_000).fit(X, CLASSES)
    risk = jr.risk(jr.linear, jr.SquaredHinge())
    sol = jr.minimize(risk, 1 / (0.5 * 60) * jr.Ridge(), np.zeros(3), (X, CLASSES), tol=1e-10)
    np.testing.assert_allclose(sol.params, theirs.coef_[0], atol=1e-6)


def objective(loss, strength, y):
    """Σ loss + strength ½‖w‖² of a linear model, in scikit-learn's scaling."""
    risk = jr.risk(jr.linear, loss)
    return lambda coef, b: float(
        60 * risk({"coef": coef, "intercept": b}, (X, y)) + strength * jr.Ridge().value(np.asarray(coef))
    )


def _best_of(value, coef, intercept):
    """The objective at a peer's solution, after checking that no small move in any direction improves it."""
    start = value(coef, intercept)
    moves = RNG.normal(size=(100, 4)) * 10.0 ** RNG.uniform(-4, -1, (100, 1))
    assert all(value(coef + m[:3], intercept + m[3]) >= start - 1e-6 * abs(start) for m in moves)
    return start


def test_objectives_without_gradient_are_least_at_the_peers_solution(x64):
    """Hinge, quantile and epsilon-insensitive objectives: scikit-learn's solvers minimise exactly these."""
    svc = SVC(kernel="linear", C=2.0, tol=1e-8).fit(X, CLASSES)
    _best_of(objective(jr.Hinge(), 0.5, CLASSES), svc.coef_[0], svc.intercept_[0])
    quantile = QuantileRegressor(quantile=0.3, alpha=0.0).fit(X, NOISY)
    _best_of(objective(jr.Quantile(0.3), 0.0, NOISY), quantile.coef_, quantile.intercept_)
    median = QuantileRegressor(quantile=0.5, alpha=0.0).fit(X, NOISY)
    _best_of(objective(jr.Absolute(), 0.0, NOISY), median.coef_, median.intercept_)
    svr = LinearSVR(C=0.7, epsilon=0.4, tol=1e-10, max_iter=1_000_000, fit_intercept=False).fit(X, NOISY)
    value = objective(jr.EpsilonInsensitive(0.4), 1 / 0.7, NOISY)
    start = value(svr.coef_, 0.0)
    for move in RNG.normal(size=(100, 3)) * 10.0 ** RNG.uniform(-4, -1, (100, 1)):
        assert value(svr.coef_ + move, 0.0) >= start - 1e-6 * start


def test_the_smooth_hinge_tends_to_the_hinge(x64):
    z = np.linspace(-3, 3, 50)
    y = (np.arange(50) % 2).astype(float)
    np.testing.assert_allclose(jr.SmoothHinge(1e-6)(z, y), jr.Hinge()(z, y), atol=1e-6)
    np.testing.assert_allclose(jr.SmoothHinge(1e-6).prox(z, y, 0.3), jr.Hinge().prox(z, y, 0.3), atol=1e-5)


def test_huber_regression_is_that_of_scikit_learn(x64):
    """scikit-learn fits a scale too: at its scale σ, delta = εσ gives its coefficients."""
    peer = HuberRegressor(epsilon=1.35, alpha=0.0, tol=1e-10, max_iter=1000).fit(X, NOISY)
    coef, intercept = fit(jr.Huber(delta=1.35 * peer.scale_), NOISY)
    np.testing.assert_allclose(coef, peer.coef_, atol=1e-4)
    np.testing.assert_allclose(intercept, peer.intercept_, atol=1e-4)


def test_soft_labels_are_weighted_hard_ones(x64):
    """Cross-entropy is linear in the target, for values and for fits."""
    p = RNG.dirichlet(np.ones(3), 60)
    z = RNG.normal(size=(60, 3))
    hard = sum(p[:, k] * np.asarray(jr.Softmax()(z, np.full(60, k))) for k in range(3))
    np.testing.assert_allclose(jr.Softmax()(z, p), hard)
    risk, init = jr.risk(jr.linear, jr.Softmax()), np.zeros((3, 3))
    soft = jr.minimize(risk, 0.1 * jr.Ridge(), init, (X, p), tol=1e-9)
    labels = np.repeat(np.arange(3), 60)
    whole = jr.minimize(risk, 0.1 * jr.Ridge(), init, (np.vstack([X] * 3), labels), p.T.ravel(), tol=1e-9)
    assert soft.status == 0 and soft.gap < 1e-9
    np.testing.assert_allclose(soft.params, whole.params, atol=1e-5)


def test_a_label_beyond_the_scores_is_nan():
    assert np.isnan(jr.Softmax()(np.zeros((2, 3), "f4"), np.array([0, 3]))).tolist() == [False, True]
    assert np.isnan(jr.Ordinal()(np.array([[1, 0]] * 2, "f4"), np.array([2, 3]))).tolist() == [False, True]
