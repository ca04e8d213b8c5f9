"""The proof of the metric: p = 100 with column scales 1 to 0.03, one optimum for every preconditioner."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.linear_model import ElasticNet, Lasso, MultiTaskLasso

import jaxreg as jr

SQUARED = jr.risk(jr.linear, jr.Squared())
STRENGTH = 0.02
RATE = optax.exponential_decay(0.1, 1000, 0.5)
STEPS = 20_000


def badly_scaled(tasks: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(300, 100)) * np.geomspace(1, 0.03, 100)
    truth = np.where(np.arange(100) % 7 == 0, 2.0, 0.0) / np.sqrt(np.geomspace(1, 0.03, 100))
    if not tasks:
        return X, X @ truth + 0.3 * rng.normal(size=300)
    W = truth[:, None] * (1 + 0.3 * rng.normal(size=(100, tasks)))
    return X, X @ W + 0.3 * rng.normal(size=(300, tasks))


@partial(jax.jit, static_argnames=("tx", "steps"))
def descend(tx, data, params, steps: int = STEPS):
    X, y = data

    def one(carry, _):
        params, state = carry
        r = (X @ params - y) / X.shape[0]
        updates, state = tx.update(jnp.einsum("n...,np->p...", r, X), state, params)
        return (optax.apply_updates(params, updates), state), None

    return jax.lax.scan(one, (params, tx.init(params)), length=steps)[0][0]


def above(w, peer, data, norm) -> float:
    """How far the objective at w is above that at scikit-learn's solution, relative."""
    X, y = data

    def value(w):
        return ((X @ w - y) ** 2).sum() / 2 / len(X) + STRENGTH * norm(w)

    return float(value(np.asarray(w)) / value(peer) - 1)


def l1(w) -> float:
    return np.abs(w).sum()


def rows(w) -> float:
    return np.sqrt((w**2).sum(1)).sum()


@pytest.fixture(scope="module")
def lasso():
    data = badly_scaled()
    return data, Lasso(alpha=STRENGTH, fit_intercept=False, tol=1e-13, max_iter=10**6).fit(*data).coef_


PENALTY = STRENGTH * jr.L1()


def test_adam_reaches_the_lasso(x64, lasso):
    data, peer = lasso
    w = descend(jr.proximal(PENALTY, RATE, optax.scale_by_adam()), data, jnp.zeros(100))
    assert abs(above(w, peer, data, l1)) <= 1e-6
    np.testing.assert_array_equal(np.asarray(w) != 0, peer != 0)
    assert 10 <= (peer != 0).sum() <= 60


def test_adam_reaches_the_multitask_lasso(x64):
    data = badly_scaled(tasks=3)
    peer = MultiTaskLasso(alpha=STRENGTH, fit_intercept=False, tol=1e-13, max_iter=10**6).fit(*data).coef_.T
    W = descend(jr.proximal(STRENGTH * jr.L2(axis=1), RATE, optax.scale_by_adam()), data, jnp.zeros((100, 3)))
    assert abs(above(W, peer, data, rows)) <= 1e-6
    np.testing.assert_array_equal(np.asarray(W).any(1), peer.any(1))
    assert 10 <= peer.any(1).sum() <= 60


def test_the_euclidean_threshold_does_not(x64, lasso):
    """A test of the test."""
    data, peer = lasso
    w = descend(optax.chain(optax.adam(RATE), jr.proximal(PENALTY, RATE)), data, jnp.zeros(100))
    assert above(w, peer, data, l1) > 1e-2
    assert not np.array_equal(np.asarray(w) != 0, peer != 0)


def test_decoupled_decay_shrinks_before_the_prox_in_the_same_metric(x64):
    """The step as stated, prox in H of p - η(H⁻¹m + c p), so that p is fixed where -(m + c H p) is in ∂g(p)."""
    c, rng = 0.5, np.random.default_rng(0)
    adamw = optax.chain(optax.scale_by_adam(), optax.masked(optax.add_decayed_weights(c), {"a": True, "b": False}))
    step, bare = jr.proximal_step(jr.L1(), 0.1, adamw), optax.scale_by_adam()
    p = {name: jnp.asarray(rng.normal(size=5)) for name in "ab"}
    state, inner = step.init(p), bare.init(p)
    for _ in range(3):
        g = jax.tree.map(lambda x: jnp.asarray(rng.normal(size=5)), p)
        (new, state), (d, inner) = step.apply(g, state, p), bare.update(g, inner)
        for name, decay in (("a", c), ("b", 0.0)):
            target = p[name] - 0.1 * (d[name] + decay * p[name])
            inverse = 1 / (np.sqrt(inner.nu[name] / (1 - 0.999**inner.count)) + 1e-8)
            expected = np.sign(target) * np.maximum(np.abs(target) - 0.1 * inverse, 0)
            np.testing.assert_allclose(new[name], expected, rtol=1e-9, atol=1e-12)
        p = new


def test_decay_in_the_unit_metric_is_the_elastic_net(x64):
    data, c = badly_scaled(), 0.05
    peer = ElasticNet(alpha=STRENGTH + c, l1_ratio=STRENGTH / (STRENGTH + c), fit_intercept=False, tol=1e-13)
    link = optax.chain(optax.identity(), optax.add_decayed_weights(c))
    w = descend(jr.proximal(PENALTY, 0.3, link), data, jnp.zeros(100), 3000)
    np.testing.assert_allclose(w, peer.set_params(max_iter=10**6).fit(*data).coef_, atol=1e-8)


@pytest.mark.parametrize("kind", ["adam", "rms", "rss", "trace"])
def test_metric_is_what_the_link_divides_by(kind: str, x64):
    """direction = H⁻¹ × (first moment), entry by entry, from the first step on, under vmap too."""
    link, moment = {
        "adam": (optax.scale_by_adam(0.8, 0.95, eps=1e-3), lambda s, g: s.mu / (1 - 0.8**s.count)),
        "rms": (optax.scale_by_rms(0.8), lambda s, g: g),
        "rss": (optax.scale_by_rss(), lambda s, g: g),
        "trace": (optax.trace(0.5), None),
    }[kind]
    step = jr.proximal_step(jr.L1(), 0.1, link)
    rng = np.random.default_rng(0)
    p = jnp.asarray(rng.normal(size=(2, 5)))
    state = jax.vmap(step.init)(p)
    gain = 0.0
    for _ in range(3):
        g = jnp.asarray(rng.normal(size=(2, 5)))
        new, after = jax.vmap(step.apply)(g, state, p)
        d, inner = jax.vmap(link.update)(g, state.inner)
        gain = 1 + 0.5 * gain
        inverse = gain if moment is None else d / jax.vmap(moment)(inner, g)
        target = p - 0.1 * d
        expected = np.sign(target) * np.maximum(np.abs(target) - 0.1 * inverse, 0)
        np.testing.assert_allclose(new, expected, rtol=1e-9, atol=1e-12)
        p, state = new, after


def test_a_dead_entry_is_dropped_and_nan_stays(x64):
    """No gradient ever: the metric is eps, the threshold huge, the entry gone at once."""
    step = jr.proximal_step(jr.L1(), 0.1, optax.scale_by_adam())
    p = jnp.array([5.0, 5.0, 5.0])
    new, _ = step.apply(jnp.array([0.0, 1.0, jnp.nan]), step.init(p), p)
    assert new[0] == 0 and 4 < new[1] < 5 and jnp.isnan(new[2])
