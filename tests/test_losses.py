"""Losses against closed forms, peers, brute-force conjugates and extreme scores."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.test_util import check_grads
from sklearn.linear_model import HuberRegressor
from sklearn.metrics import log_loss

import jaxreg as jr
import zoo

NAMED = [m for m in zoo.LOSSES if m.name != "plain"]
SCALAR = [m for m in NAMED if m.name != "softmax"]
ALL = pytest.mark.parametrize("member", zoo.LOSSES, ids=zoo.ids(zoo.LOSSES))


def sample(member: zoo.LossMember, dtype: np.dtype, n: int = 5, k: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = member.targets(rng, n, k)
    return rng.normal(size=(n, k)).astype(dtype), y if y.dtype.kind == "i" else y.astype(dtype)


CLOSED = {
    "squared": lambda z, y: 0.5 * (z - y) ** 2,
    "huber": lambda z, y: np.where(abs(z - y) <= 1, 0.5 * (z - y) ** 2, abs(z - y) - 0.5),
    "huber-half": lambda z, y: np.where(abs(z - y) <= 0.5, 0.5 * (z - y) ** 2, 0.5 * (abs(z - y) - 0.25)),
    "logistic": lambda z, y: np.log1p(np.exp(z)) - y * z,
    "poisson": lambda z, y: np.exp(z) - y * z,
    "plain": lambda z, y: np.sqrt(1 + (z - y) ** 2) - 1,
}


@ALL
def test_value_is_the_closed_form_summed_over_outputs(member: zoo.LossMember, dtype: np.dtype):
    z, y = sample(member, dtype)
    made = jax.jit(member.loss)(z, y)
    assert made.shape == (5,) and made.dtype == dtype
    wide = z.astype(float)
    if member.name == "softmax":
        expected = np.log(np.exp(wide).sum(-1)) - np.take_along_axis(wide, y[:, None], -1)[:, 0]
    else:
        expected = CLOSED[member.name](wide, y.astype(float)).sum(-1)
    np.testing.assert_allclose(made, expected, rtol=20 * np.finfo(dtype).eps, atol=10 * np.finfo(dtype).eps)
    alone = jax.jit(jax.vmap(lambda a, b: member.loss(a[None], b[None])[0]))(z, y)
    np.testing.assert_allclose(made, alone, rtol=4 * np.finfo(dtype).eps)


def test_values_of_peers(x64):
    z, labels = np.random.default_rng(0).normal(size=(6, 3)), np.array([0, 2, 1, 1, 0, 2])
    y = (labels > 0).astype(float)
    probability = np.exp(z) / np.exp(z).sum(-1, keepdims=True)
    assert np.isclose(jnp.mean(jr.Softmax()(z, labels)), log_loss(labels, probability))
    np.testing.assert_allclose(
        jr.Softmax()(z, labels), optax.losses.softmax_cross_entropy_with_integer_labels(jnp.asarray(z), labels)
    )
    np.testing.assert_allclose(
        jr.Logistic()(z[:, 0], y), optax.losses.sigmoid_binary_cross_entropy(jnp.asarray(z[:, 0]), y)
    )
    np.testing.assert_allclose(jr.Huber(0.7)(z[:, 0], y), optax.losses.huber_loss(jnp.asarray(z[:, 0]), y, delta=0.7))


@pytest.mark.parametrize("member", NAMED, ids=zoo.ids(NAMED))
def test_gradients(member: zoo.LossMember, x64):
    z, y = sample(member, np.dtype("float64"))
    total = jax.jit(lambda z: jnp.sum(member.loss(z, y)))
    check_grads(total, (z,), order=2, modes=("fwd", "rev"), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("member", SCALAR, ids=zoo.ids(SCALAR))
def test_conjugate_is_the_supremum(member: zoo.LossMember, x64):
    """sup_z d z - ℓ(z, y) over a fine grid, at slopes that the loss attains."""
    grid = np.linspace(-30, 30, 600_001)
    for y in (0.0, 1.0):
        values = np.asarray(member.loss(grid, np.full_like(grid, y)))
        for z in (-1.3, 0.2, 1.1):
            d = float(jax.grad(lambda z, y=y: member.loss(z, y))(z))
            assert abs(float(member.loss.conjugate(jnp.asarray(d), y)) - np.max(d * grid - values)) < 1e-7


def test_the_conjugate_of_softmax_is_attained_at_its_gradient(x64):
    rng = np.random.default_rng(0)
    z, rivals, y = rng.normal(size=(4, 3)), rng.normal(size=(50, 4, 3)) * 3, np.array([0, 1, 2, 1])
    loss = jr.Softmax()
    d = np.asarray(jax.jit(jax.grad(lambda z: jnp.sum(loss(z, y))))(z))
    star = np.asarray(loss.conjugate(jnp.asarray(d), y))
    np.testing.assert_allclose(star, np.sum(d * z, -1) - loss(z, y), rtol=1e-10)
    values = np.asarray(jax.jit(jax.vmap(loss, (0, None)))(rivals, y))
    assert np.all(star >= np.sum(d * rivals, -1) - values - 1e-12)


@pytest.mark.parametrize(
    ("loss", "dual", "target"),
    [
        (jr.Logistic(), 1.5, 0.0),
        (jr.Logistic(), 0.2, 1.0),
        (jr.Huber(0.5), 0.6, 0.0),
        (jr.Poisson(), -1.5, 1.0),
        (jr.Softmax(), [[0.5, 0.2]], [0]),
    ],
    ids=repr,
)
def test_a_conjugate_is_infinite_outside_its_domain(loss: jr.Loss, dual, target, dtype: np.dtype):
    assert np.isposinf(loss.conjugate(jnp.asarray(dual, dtype), jnp.asarray(target)).item())


@pytest.mark.parametrize("member", NAMED, ids=zoo.ids(NAMED))
def test_curvature_bounds_the_hessian(member: zoo.LossMember, x64):
    if member.loss.curvature is None:
        return
    rng = np.random.default_rng(0)
    z, y = 3 * rng.normal(size=(40, 1, 3)), sample(member, np.dtype("float64"), 1)[1]
    z[0] = 0.0
    hessian = jax.jit(jax.vmap(jax.hessian(lambda z: jnp.sum(member.loss(z, y)))))(z).reshape(40, 3, 3)
    top = np.linalg.eigvalsh(hessian).max()
    assert top <= member.loss.curvature * (1 + 1e-12)
    if member.name in ("squared", "logistic"):
        assert top > 0.99 * member.loss.curvature


@ALL
def test_extreme_scores_stay_finite(member: zoo.LossMember, dtype: np.dtype):
    """Scores of ±1e4: values and slopes are finite, except the Poisson mean, which overflows honestly."""
    size = 1e4 if member.name != "poisson" else 80.0
    y = sample(member, dtype, 4)[1]
    z = size * np.array([[1, -1, 1], [-1, -1, 1], [1, 1, 1], [0, 0, -1]], dtype)
    value, slope = jax.jit(jax.value_and_grad(lambda z: jnp.sum(member.loss(z, y))))(z)
    assert np.isfinite(value) and np.isfinite(slope).all()


def test_logistic_is_exact_at_extreme_scores():
    z = np.array([1e4, -1e4, 1e4, -1e4], "float32")
    np.testing.assert_array_equal(jr.Logistic()(z, np.array([1, 0, 0, 1], "float32")), [0, 0, 1e4, 1e4])
    np.testing.assert_array_equal(
        jax.grad(lambda z: jnp.sum(jr.Logistic()(z, np.array([1, 0, 0, 1], "float32"))))(z), [0, 0, 1, -1]
    )
    assert np.isposinf(jr.Poisson()(np.float32(1e4), 1.0))


@pytest.mark.parametrize("member", NAMED, ids=zoo.ids(NAMED))
def test_repr_evals_back(member: zoo.LossMember):
    assert repr(eval(repr(member.loss), vars(jr).copy())) == repr(member.loss)


def test_huber_regression_is_that_of_scikit_learn(x64):
    """scikit-learn fits a scale too: at its scale σ, delta = εσ gives its coefficients."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3))
    y = X @ np.array([1.0, -2.0, 0.5]) + rng.standard_t(2, 40)
    peer = HuberRegressor(epsilon=1.35, alpha=0.0, tol=1e-10, max_iter=1000).fit(X, y)
    risk = jr.risk(jr.linear, jr.Huber(delta=1.35 * peer.scale_))
    init = jr.linear_params((X, y))
    sol = jr.minimize(risk, 0.0 * jr.Ridge(), init, (X, y), tol=1e-9)
    np.testing.assert_allclose(sol.params["coef"], peer.coef_, atol=1e-4)
    np.testing.assert_allclose(sol.params["intercept"], peer.intercept_, atol=1e-4)


def test_a_loss_of_the_wrong_shape_is_named():
    risk = jr.risk(jr.linear, lambda z, y: jnp.sum(jnp.square(z - y)))
    with pytest.raises(ValueError, match="one number per example"):
        risk(np.zeros(2, "float32"), (np.ones((3, 2), "float32"), np.ones(3, "float32")))
    with pytest.raises(TypeError, match="two functions"):
        jr.risk(jr.linear, 3)
    with pytest.raises(TypeError, match="states no conjugate"):
        zoo.LOSSES[-1].loss.conjugate(np.ones(3), np.ones(3))
