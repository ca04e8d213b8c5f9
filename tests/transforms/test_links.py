"""Prox now and then, chains, half precision, and the accelerated and averaged links."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.linear_model import Lasso

import jaxreg as jr

STRENGTH = 0.1
PENALTY = STRENGTH * jr.L1()


def problem() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 12))
    y = X[:, :3] @ np.array([2.0, -1.0, 0.5]) + 0.3 * rng.normal(size=60)
    return X, y, Lasso(alpha=STRENGTH, fit_intercept=False, tol=1e-14).fit(X, y).coef_


def run(tx, X, y, steps: int):
    """The last parameters and state, and the mean squared slope's own gradient of every step."""

    def one(carry, _):
        w, state = carry
        slope = ((X @ w - y) / len(X)) @ X
        updates, state = tx.update(slope, state, w)
        return (optax.apply_updates(w, updates), state), slope

    w = jnp.zeros(X.shape[1])
    return jax.jit(lambda: jax.lax.scan(one, (w, tx.init(w)), length=steps))()


def test_prox_every_k_steps_to_its_stated_fixed_point(x64):
    X, y, peer = problem()
    (w, _), slopes = run(jr.proximal(PENALTY, 0.05, optax.identity(), prox_every=4), X, y, 4000)
    mean = np.asarray(slopes[-4:]).mean(0)
    kept = np.asarray(w) != 0
    np.testing.assert_allclose(mean[kept], -STRENGTH * np.sign(w[kept]), atol=1e-10)
    assert np.abs(mean[~kept]).max() <= STRENGTH and (~kept).sum() > 0
    np.testing.assert_allclose(w, peer, atol=0.05)
    assert np.abs(w - peer).max() > 1e-6


def test_prox_every_waits(x64):
    tx = jr.proximal(jr.L1(), 0.1, prox_every=3)
    p = jnp.array([2.0])
    state, seen = tx.init(p), []
    for _ in range(6):
        u, state = tx.update(jnp.zeros(1), state, p)
        p = optax.apply_updates(p, u)
        seen.append(float(p[0]))
    np.testing.assert_allclose(seen, [2, 2, 1.7, 1.7, 1.7, 1.4])
    with pytest.raises(ValueError, match="prox_every is 0"):
        jr.proximal(jr.L1(), 0.1, prox_every=0)


@pytest.mark.parametrize(
    "link",
    [
        jr.proximal(PENALTY, 0.1, optax.scale_by_adam()),
        jr.accelerated(PENALTY, 0.1),
        jr.dual_averaging(PENALTY, 0.1),
    ],
    ids=["proximal", "accelerated", "dual_averaging"],
)
def test_links_lower_for_every_platform(link):
    w = jax.ShapeDtypeStruct((3,), jnp.float32)
    made = jax.export.export(jax.jit(lambda w: link.update(w, link.init(w), w)[0]), platforms=("cpu", "cuda", "tpu"))
    assert made(w).platforms == ("cpu", "cuda", "tpu")


def test_accelerated_is_fista(x64):
    X, y, peer = problem()
    rate = len(X) / np.linalg.norm(X, 2) ** 2
    (_, state), _ = run(jr.accelerated(PENALTY, rate), X, y, 150)
    np.testing.assert_allclose(state.point, peer, atol=1e-9)
    np.testing.assert_array_equal(np.asarray(state.point) != 0, peer != 0)


@pytest.mark.parametrize("growing", [False, True])
def test_dual_averaging_against_the_definition(x64, growing: bool):
    """Weighted mean of all gradients, one threshold, as the papers write it."""
    rng = np.random.default_rng(0)
    eta, start, grads = 0.3, rng.normal(size=4), rng.normal(size=(6, 4))
    tx = jr.dual_averaging(0.4 * jr.L1(), eta, growing=growing, momentum=lambda k: jnp.where(k < 3, 0.5, 1.0))
    w, expected = jnp.asarray(start), start
    state = tx.init(w)
    total, weight = np.zeros(4), 0.0
    for t, g in enumerate(grads, 1):
        u, state = tx.update(jnp.asarray(g), state, w)
        w = optax.apply_updates(w, u)
        s = eta * (np.sqrt(t) if growing else 1)
        total, weight = total + s * g, weight + s
        v = start - total / np.sqrt(t)
        goal = np.sign(v) * np.maximum(np.abs(v) - 0.4 * weight / np.sqrt(t), 0)
        expected = 0.5 * expected + 0.5 * goal if t <= 3 else goal
        np.testing.assert_allclose(w, expected, atol=1e-12)
    assert (np.asarray(w) == 0).any()


def test_dual_averaging_finds_the_support_under_noise(x64):
    """Single-row gradients: RDA's zeros hold where a proximal step's flicker."""
    X, y, peer = problem()
    order = np.random.default_rng(1).integers(0, len(X), 20_000)

    def last(tx):
        def one(carry, i):
            w, state = carry
            u, state = tx.update((X_[i] @ w - y_[i]) * X_[i], state, w)
            return (optax.apply_updates(w, u), state), None

        X_, y_ = jnp.asarray(X), jnp.asarray(y)
        w = jnp.zeros(12)
        return np.asarray(jax.lax.scan(one, (w, tx.init(w)), jnp.asarray(order))[0][0])

    rda = last(jr.dual_averaging(PENALTY, 0.2))
    flicker = last(optax.chain(optax.sgd(0.02), jr.proximal(PENALTY, 0.02)))
    assert ((rda != 0) == (peer != 0)).mean() > ((flicker != 0) == (peer != 0)).mean()
    np.testing.assert_allclose(rda, peer, atol=0.1)


def test_chain_refuses_what_follows():
    link = jr.proximal(jr.L1(), 0.1)
    inner = jr.chain(optax.sgd(0.1), link)
    for bad in ((link, optax.scale(0.5)), (inner, optax.scale(0.5)), (jr.accelerated(jr.L1(), 1.0), link)):
        with pytest.raises(ValueError, match="link 0 is a proximal step and 1 link follows"):
            jr.chain(*bad)
    p = jnp.array([2.0, 0.01])
    u, _ = inner.update(jnp.zeros(2), inner.init(p), p)
    np.testing.assert_allclose(optax.apply_updates(p, u), [1.9, 0])


def test_the_function_form_rounds_once(x64):
    """In half precision the new parameters are those of float32, rounded; mixed trees keep their dtypes."""
    p = {"a": jnp.linspace(-2, 2, 64, dtype="bfloat16"), "b": jnp.linspace(-2, 2, 64, dtype="float32")}
    g = jax.tree.map(lambda x: jnp.cos(x.astype("float32")), p)
    step = jr.proximal_step(PENALTY, 0.1, optax.identity())
    new, _ = step.apply(g, step.init(p), p)
    wide = jax.tree.map(lambda x: x.astype("float32"), p)
    exact, _ = step.apply(g, step.init(wide), wide)
    assert new["a"].dtype == jnp.bfloat16 and new["b"].dtype == jnp.float32
    np.testing.assert_array_equal(new["a"], exact["a"].astype("bfloat16"))


@pytest.mark.parametrize("tx", [jr.accelerated(jr.L1(), 0.1), jr.dual_averaging(jr.L1(), 0.1)])
def test_params_are_needed(tx):
    p = jnp.ones(2)
    with pytest.raises(ValueError, match="needs the parameters"):
        tx.update(p, tx.init(p))
