"""The proximal link: exact zeros, the right fixed point in the preconditioner's metric."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.linear_model import Lasso

import jaxreg as jr

SQUARED = jr.risk(jr.linear, jr.Squared())
STRENGTH = 0.05


def badly_scaled(dtype) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 30)) * np.geomspace(0.1, 3, 30)
    truth = np.where(np.arange(30) % 5 == 0, 2.0, 0.0)
    return X.astype(dtype), (X @ truth + 0.5 * rng.normal(size=100)).astype(dtype)


@partial(jax.jit, static_argnames=("tx", "steps"))
def descend(tx, data, params, steps: int):
    grad = jax.grad(SQUARED)

    def one(carry, _):
        params, state = carry
        updates, state = tx.update(grad(params, data), state, params)
        return (optax.apply_updates(params, updates), state), None

    return jax.lax.scan(one, (params, tx.init(params)), length=steps)[0][0]


def excess(params, data) -> tuple[float, np.ndarray]:
    """How far above scikit-learn's optimum, relative, and its coefficients."""
    X, y = (np.asarray(a, float) for a in data)
    peer = Lasso(alpha=STRENGTH, fit_intercept=False, tol=1e-12, max_iter=10**6).fit(X, y).coef_

    def value(w):
        return np.mean((X @ w - y) ** 2) / 2 + STRENGTH * np.abs(w).sum()

    return float(value(np.asarray(params, float)) / value(peer) - 1), peer


PENALTY = STRENGTH * jr.L1()
RATE = 0.1
CHAINS = {
    "sgd": (optax.chain(optax.sgd(RATE), jr.proximal(PENALTY, RATE)), 6000),
    "momentum": (jr.proximal(PENALTY, 0.02, optax.trace(decay=0.9)), 6000),
    "nesterov": (jr.proximal(PENALTY, 0.02, optax.trace(decay=0.9, nesterov=True)), 6000),
    "identity": (jr.proximal(PENALTY, RATE, optax.identity()), 6000),
    "adam": (jr.proximal(PENALTY, optax.exponential_decay(0.05, 500, 0.5), optax.scale_by_adam()), 6000),
    "nadam": (jr.proximal(PENALTY, optax.exponential_decay(0.05, 500, 0.5), optax.scale_by_adam(nesterov=True)), 6000),
    "adam without momentum": (
        jr.proximal(PENALTY, optax.exponential_decay(0.05, 500, 0.5), optax.scale_by_adam(b1=0.0)),
        6000,
    ),
    "rms": (jr.proximal(PENALTY, optax.exponential_decay(0.05, 500, 0.5), optax.scale_by_rms()), 6000),
    "adagrad": (jr.proximal(PENALTY, 1.0, optax.scale_by_rss()), 6000),
}
ADAPTIVE = ("adam", "nadam", "adam without momentum", "rms")


@pytest.mark.parametrize("name", CHAINS)
def test_reaches_the_lasso_with_its_support(name: str, dtype: np.dtype):
    tx, steps = CHAINS[name]
    data = badly_scaled(dtype)
    params = descend(tx, data, jnp.zeros(30, dtype), steps)
    above, peer = excess(params, data)
    assert params.dtype == dtype and above < (1e-3 if name in ADAPTIVE else 1e-5)
    np.testing.assert_array_equal(np.asarray(params) != 0, peer != 0)
    assert (peer == 0).sum() >= 10


def test_a_euclidean_threshold_after_adam_goes_astray(x64):
    """A test of the test: Adam, then a plain soft threshold, ends elsewhere."""
    rate = optax.exponential_decay(0.05, 500, 0.5)
    naive = optax.chain(optax.adam(rate), jr.proximal(PENALTY, rate))
    data = badly_scaled("float64")
    params = descend(naive, data, jnp.zeros(30), 6000)
    above, peer = excess(params, data)
    assert above > 0.01 and not np.array_equal(np.asarray(params) != 0, peer != 0)


def test_momentum_before_a_plain_link_goes_astray(x64):
    naive = optax.chain(optax.sgd(0.02, momentum=0.9), jr.proximal(PENALTY, 0.02))
    data = badly_scaled("float64")
    assert excess(descend(naive, data, jnp.zeros(30), 6000), data)[0] > 0.01


def test_a_group_is_dropped_whole_in_the_metric_of_adam(dtype: np.dtype):
    data = badly_scaled(dtype)
    tx = jr.proximal(0.5 * jr.L2(), 0.05, optax.scale_by_adam())
    strong = jr.proximal(50.0 * jr.L2(), 0.05, optax.scale_by_adam())
    assert np.all(np.asarray(descend(tx, data, jnp.ones(30, dtype), 200)) != 0)
    assert not np.asarray(descend(strong, data, jnp.ones(30, dtype), 2000)).any()


def test_schedules_count_steps(x64):
    """The k-th call sees the rate of step k."""
    tx = jr.proximal(jr.L1(), lambda k: 0.1 * (k + 1.0))
    p, state = jnp.array([2.0]), None
    state = tx.init(p)
    for expected in (1.9, 1.7, 1.4):
        updates, state = tx.update(jnp.zeros(1), state, p)
        p = optax.apply_updates(p, updates)
        np.testing.assert_allclose(p, [expected])
    assert state.taken == 3


def test_trees_and_low_precision_updates():
    """bfloat16 updates do not lose the zeros of float32 parameters; intercepts stay free."""
    params = {"kernel": jnp.array([0.30001, -0.2, 3.0], jnp.float32), "intercept": jnp.array([0.01], jnp.float32)}
    updates = jax.tree.map(lambda p: jnp.full_like(p, 0.001, jnp.bfloat16), params)
    tx = jr.proximal(jr.L1(), 0.5)
    moved, _ = tx.update(updates, tx.init(params), params)
    new = optax.apply_updates(params, moved)
    assert new["kernel"].dtype == jnp.float32 and (new["kernel"][:2] == 0).all() and new["kernel"][2] != 0
    assert new["intercept"][0] > 0.01


def test_what_cannot_be_used_is_named():
    p = jnp.ones(2, "float32")
    tx = jr.proximal(jr.L1(), 0.1)
    with pytest.raises(ValueError, match="needs the parameters"):
        tx.update(p, tx.init(p))
    odd = jr.proximal(jr.L1(), 0.1, optax.scale_by_lion())
    with pytest.raises(TypeError, match="does not know the metric of ScaleByLionState"):
        odd.update(p, odd.init(p), p)
    rough = jr.proximal(jr.Nuclear(), 0.1, optax.scale_by_adam())
    matrix = jnp.ones((2, 3), "float32")
    with pytest.raises(TypeError, match="diagonal metric"):
        rough.update(matrix, rough.init(matrix), matrix)
    with pytest.raises(ValueError, match="strength is"):
        jr.proximal(-1.0 * jr.L1(), 0.1)
