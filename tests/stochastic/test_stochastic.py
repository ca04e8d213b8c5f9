"""Stochastic risks against what they are in expectation, and as pure functions of a key."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.special import rel_entr

import jaxreg as jr
from jaxreg import stochastic

RNG = np.random.default_rng(0)
N, P = 12, 4
X = RNG.normal(size=(N, P)) + 0.5
Y = RNG.normal(size=N)
W = RNG.normal(size=P)
WEIGHTS = RNG.uniform(0.5, 2.0, N) * (np.arange(N) != 3)
SHARES = WEIGHTS / WEIGHTS.sum()
SQUARED, SOFTMAX = jr.risk(jr.linear, jr.Squared()), jr.risk(jr.linear, jr.Softmax())
LABELS = RNG.integers(0, 3, N)
KEYS = 40_000
WRAPPERS = {
    "dropout": lambda r: stochastic.dropout(r, 0.3),
    "drop_connect": lambda r: stochastic.drop_connect(r, 0.3),
    "input_noise": lambda r: stochastic.input_noise(r, 0.5),
    "mixup": lambda r: stochastic.mixup(r, 0.7),
    "r_drop": lambda r: stochastic.r_drop(stochastic.dropout(r, 0.3), 0.5),
}
EACH = pytest.mark.parametrize("name", WRAPPERS)


def keys(count: int = KEYS) -> jax.Array:
    return jax.random.split(jax.random.key(1), count)


def close_in_expectation(draws, expected) -> None:
    """Within five standard errors, of which there must be few enough for the test to mean something."""
    draws = np.asarray(draws, float)
    error = draws.std(0) / np.sqrt(len(draws))
    assert (error > 0).all() and (error < 0.02 * (np.abs(expected) + draws.std(0))).all()
    assert (np.abs(draws.mean(0) - expected) < 5 * error).all()


def draws(risk, params, data, weights=None):
    return jax.jit(jax.vmap(lambda k: risk(params, data, weights, key=k)))(keys())


@pytest.mark.parametrize("kind", [stochastic.dropout, stochastic.drop_connect])
def test_dropout_of_a_linear_model_is_a_ridge(kind, x64):
    """½ rate/(1 - rate) Σⱼ wⱼ² mean(xⱼ²), the diagonal of X'X (Wager, Wang and Liang 2013)."""
    rate = 0.3
    ridge = 0.5 * rate / (1 - rate) * W**2 @ (SHARES @ X**2)
    expected = 0.5 * SHARES @ (X @ W - Y) ** 2 + ridge
    close_in_expectation(draws(kind(SQUARED, rate), W, (X, Y), WEIGHTS), expected)


def test_the_gradient_of_dropout_is_that_of_the_ridge(x64):
    risk = stochastic.dropout(SQUARED, 0.3)
    grads = jax.jit(jax.vmap(lambda k: jax.grad(risk)(W, (X, Y), WEIGHTS, key=k)))(keys())
    expected = X.T @ (SHARES * (X @ W - Y)) + 0.3 / 0.7 * W * (SHARES @ X**2)
    close_in_expectation(grads, expected)


@pytest.mark.parametrize("scale", [0.4, np.array([0.0, 0.1, 0.5, 1.0])], ids=["number", "per-feature"])
def test_input_noise_of_a_linear_model_is_a_ridge(scale, x64):
    """½ Σⱼ scaleⱼ² wⱼ² (Bishop 1995)."""
    expected = 0.5 * SHARES @ (X @ W - Y) ** 2 + 0.5 * np.sum(np.square(scale) * W**2)
    close_in_expectation(draws(stochastic.input_noise(SQUARED, scale), W, (X, Y), WEIGHTS), expected)


@pytest.mark.parametrize("alpha", [0.3, 2.0])
def test_mixup_in_expectation(alpha: float, x64):
    """Residuals mix: E[λ² + (1-λ)²] mean(r²) + 2 E[λ(1-λ)] mean(r)², with λ from Beta(alpha, alpha)."""
    r = X @ W - Y
    apart = (alpha + 1) / (2 * alpha + 1)
    expected = 0.5 * (apart * SHARES @ r**2 + (1 - apart) * (SHARES @ r) ** 2)
    close_in_expectation(draws(stochastic.mixup(SQUARED, alpha), W, (X, Y), WEIGHTS), expected)


@pytest.mark.parametrize("alpha", [0.0, 1e-7])
def test_mixup_with_nothing_to_mix_is_the_risk(alpha: float, dtype: np.dtype):
    data, w = (X.astype(dtype), Y.astype(dtype)), W.astype(dtype)
    made = stochastic.mixup(SQUARED, np.asarray(alpha, dtype))(w, data, WEIGHTS.astype(dtype), key=jax.random.key(0))
    np.testing.assert_allclose(made, SQUARED(w, data, WEIGHTS.astype(dtype)), rtol=1e-5)


def test_mixup_of_labels_is_that_of_their_one_hot_vectors(x64):
    risk, B, key = stochastic.mixup(SOFTMAX, 0.5), RNG.normal(size=(P, 3)), jax.random.key(3)
    by_label = jax.value_and_grad(risk)(B, (X, LABELS), WEIGHTS, key=key)
    by_vector = jax.value_and_grad(risk)(B, (X, np.eye(3)[LABELS]), WEIGHTS, key=key)
    np.testing.assert_allclose(by_label[0], by_vector[0], rtol=1e-12)
    np.testing.assert_allclose(by_label[1], by_vector[1], rtol=1e-10, atol=1e-12)


def test_mixup_keeps_both_targets_of_a_hinge(x64):
    """The margin of an averaged label would be no margin: at scores 0 every hinge is 1."""
    risk = stochastic.mixup(jr.risk(jr.linear, jr.Hinge()), 1.0)
    assert np.isclose(risk(0 * W, (X, (Y > 0).astype(float)), WEIGHTS, key=jax.random.key(0)), 1.0)


def test_a_row_of_weight_zero_enters_no_mixture(x64):
    spoiled = X.copy()
    spoiled[3] = np.nan
    assert np.isfinite(draws(stochastic.mixup(SQUARED, 1.0), W, (spoiled, Y), WEIGHTS)[:500]).all()


def test_partners_are_drawn_by_weight_within_their_task(x64):
    """Task t holds only the number t; a mixture across tasks would show."""
    rows = np.array([[1.0, 2.0, 0.0], [0.0, 0.5, 0.5]])
    data = (np.broadcast_to(np.arange(2.0)[:, None, None], (2, 3, 1)), np.zeros((2, 3)))
    _, (mixed, _), weights = stochastic.mixup(jr.multitask(SQUARED), 1.0).perturb(None, data, rows, jax.random.key(0))
    np.testing.assert_array_equal(mixed, data[0])
    np.testing.assert_allclose(weights, rows / rows.sum(1, keepdims=True))
    ids = (np.arange(3.0)[:, None], np.arange(3.0))
    mix = stochastic.mixup(SQUARED, 1.0)
    drawn = jax.vmap(lambda k: mix.perturb(None, ids, np.array([1.0, 0.0, 3.0]), k)[1][0][0, 0])(keys(4000))
    moved = np.asarray(drawn) > 0  # row 0 mixed with row 2 rather than with itself
    assert abs(moved.mean() - 0.75) < 5 * np.sqrt(0.75 * 0.25 / 4000)


def kl(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    return rel_entr(p, q).sum(-1)


@pytest.mark.parametrize("loss", [jr.Softmax(), jr.Logistic(), jr.Squared(), jr.Poisson()], ids=repr)
def test_r_drop_is_the_symmetric_divergence_of_two_passes(loss: jr.Loss, x64):
    def predict(params, X, key):
        return params if key is None else params + jax.random.normal(key, params.shape)

    z = RNG.normal(size=(N, 3)) if loss.labels else RNG.normal(size=N)
    y = LABELS if loss.labels else (Y > 0).astype(float)
    inner, key = stochastic.risk(predict, loss), jax.random.key(5)
    a, b = (np.asarray(predict(z, X, k)) for k in jax.random.split(key))
    if loss.labels:
        p, q = (np.exp(s) / np.exp(s).sum(-1, keepdims=True) for s in (a, b))
        both = kl(p, q) + kl(q, p)
    elif isinstance(loss, jr.Logistic):
        p, q = (np.stack([1 / (1 + np.exp(-s)), 1 / (1 + np.exp(s))], -1) for s in (a, b))
        both = kl(p, q) + kl(q, p)
    elif isinstance(loss, jr.Squared):
        both = (a - b) ** 2
    else:
        both = (np.exp(a) - np.exp(b)) * (a - b)
    losses = 0.5 * (np.asarray(loss(a, y)) + np.asarray(loss(b, y)))
    made = stochastic.r_drop(inner, 0.7)(z, (X, y), WEIGHTS, key=key)
    np.testing.assert_allclose(made, SHARES @ (losses + 0.7 * 0.5 * both), rtol=1e-10)


def test_r_drop_without_randomness_is_the_risk(dtype: np.dtype):
    inner = stochastic.dropout(SQUARED, 0.0)
    data, w = (X.astype(dtype), Y.astype(dtype)), W.astype(dtype)
    expected = SQUARED(w, data)
    for made in (
        stochastic.r_drop(inner, 3.0)(w, data, key=jax.random.key(0)),
        stochastic.r_drop(stochastic.dropout(SQUARED, 0.5), 3.0)(w, data),
    ):
        np.testing.assert_allclose(made, expected, rtol=1e-6)


@EACH
def test_without_a_key_it_is_the_risk_inside(name: str, dtype: np.dtype):
    data, w = (X.astype(dtype), Y.astype(dtype)), W.astype(dtype)
    made = WRAPPERS[name](SQUARED)(w, data, WEIGHTS.astype(dtype))
    assert made == SQUARED(w, data, WEIGHTS.astype(dtype)) and made.dtype == dtype


@EACH
def test_it_is_a_pure_function_of_the_key(name: str, dtype: np.dtype):
    """jit equals eager, vmap over keys equals a loop, keys matter, gradients are finite, the dtype is kept."""
    risk, data, w = WRAPPERS[name](SQUARED), (X.astype(dtype), Y.astype(dtype)), W.astype(dtype)
    some = keys(3)
    loop = np.array([risk(w, data, key=k) for k in some])
    assert len(set(loop.tolist())) > 1
    batch = jax.jit(jax.vmap(lambda k: risk(w, data, key=k)))(some)
    assert batch.dtype == dtype
    np.testing.assert_allclose(batch, loop, rtol=20 * np.finfo(dtype).eps)
    grad = jax.jit(jax.grad(lambda w: risk(w, data, key=some[0])))(w)
    assert grad.dtype == dtype and np.isfinite(grad).all()
    through = jax.jit(lambda r: r(w, data, key=some[0]))(risk)
    np.testing.assert_allclose(through, loop[0], rtol=20 * np.finfo(dtype).eps)


@EACH
@pytest.mark.parametrize("loss", [jr.Softmax(), jr.Cox()], ids=repr)
def test_labels_and_survival(name: str, loss: jr.Loss, x64):
    base = jr.risk(jr.linear, loss)
    if name == "mixup" and not loss.rowwise:
        with pytest.raises(TypeError, match="compares rows"):
            WRAPPERS[name](base)
        return
    y = LABELS if loss.labels else np.stack([np.ceil(np.abs(5 * Y)), Y > -1], -1).astype(float)
    params = RNG.normal(size=(P, 3)) if loss.labels else W
    value, grad = jax.value_and_grad(WRAPPERS[name](base))(params, (X, y), WEIGHTS, key=jax.random.key(0))
    assert np.isfinite(value) and np.isfinite(grad).all()


def test_units_fall_together_and_connections_alone(x64):
    params = {"kernel": jnp.ones((50, 40)), "bias": jnp.ones(40), "intercept": jnp.ones(())}
    units = stochastic.dropout(SQUARED, 0.5).perturb(params, None, None, jax.random.key(0))[0]
    rows = np.asarray(units["kernel"])
    assert set(np.unique(rows)) == {0.0, 2.0} and (rows == rows[:, :1]).all() and units["intercept"] == 1
    columns = stochastic.dropout(SQUARED, 0.5, "kernel", axis=1).perturb(params, None, None, jax.random.key(0))[0]
    kernel = np.asarray(columns["kernel"])
    assert (kernel == kernel[:1]).all() and (columns["bias"] == 1).all()
    single = np.asarray(
        stochastic.drop_connect(SQUARED, 0.5).perturb(params, None, None, jax.random.key(0))[0]["kernel"]
    )
    assert abs((single == 0).mean() - 0.5) < 0.06 and not (single == single[:, :1]).all()


def test_rates_are_leaves(x64):
    """One trace serves every rate; a batch of rates is a vmap."""
    batch = jax.vmap(lambda rate: stochastic.dropout(SQUARED, rate)(W, (X, Y), key=jax.random.key(0)))(
        jnp.array([0.0, 0.5, 1.0])
    )
    assert np.isfinite(batch).all() and np.isclose(batch[0], SQUARED(W, (X, Y)))
    np.testing.assert_allclose(batch[2], 0.5 * np.mean(Y**2))


def test_transforms_nest_and_reach_any_network(x64):
    """Mixup outside, then two passes of a network with dropout and noise; with a penalty, by Adam and an exact prox."""

    def apply(params, X):
        return jnp.tanh(X @ params["trunk"]["kernel"]) @ params["head"]["kernel"]

    base = jr.risk(apply, jr.label_smoothing(jr.Softmax(), 0.1))
    inner = stochastic.input_noise(stochastic.dropout(base, 0.2, "trunk/*"), 0.1)
    risk = stochastic.mixup(stochastic.r_drop(inner, 0.5), 0.2)
    params = {"trunk": {"kernel": RNG.normal(size=(P, 6))}, "head": {"kernel": RNG.normal(size=(6, 3))}}
    penalty = 0.02 * jr.L1().on("head/*")
    tx = optax.chain(optax.identity(), jr.proximal(penalty, 0.05, optax.scale_by_adam()))

    @jax.jit
    def train(params, key):
        def step(carry, k):
            params, state = carry
            value, grad = jax.value_and_grad(risk)(params, (X, LABELS), WEIGHTS, key=k)
            updates, state = tx.update(grad, state, params)
            return (optax.apply_updates(params, updates), state), value

        return jax.lax.scan(step, (params, tx.init(params)), jax.random.split(key, 400))

    (fitted, _), values = train(params, jax.random.key(0))
    assert np.isfinite(values).all() and base(fitted, (X, LABELS), WEIGHTS) < base(params, (X, LABELS), WEIGHTS)
    assert (np.asarray(fitted["head"]["kernel"]) == 0).any()


def test_inputs_are_chosen_by_name(x64):
    data = ({"pixels": X, "words": LABELS}, Y)
    risk = jr.risk(lambda w, X: X["pixels"] @ w, jr.Squared())
    for on in ("pixels", None):
        noisy = stochastic.input_noise(risk, 1.0, on).perturb(W, data, None, jax.random.key(0))[1][0]
        assert (np.asarray(noisy["pixels"]) != X).all() and (np.asarray(noisy["words"]) == LABELS).all()


def test_what_cannot_be_done_is_named():
    tree, data = {"head": {"kernel": W}, "bias": W}, (X, Y)
    with pytest.raises(ValueError, match=r"dropout\(on='trunk/\*'\) matches no leaf .*'bias', 'head/kernel'"):
        stochastic.dropout(SQUARED, 0.5, "trunk/*")(tree, data, key=jax.random.key(0))
    with pytest.raises(ValueError, match="axis is 1, but a leaf has shape"):
        stochastic.dropout(SQUARED, 0.5, axis=1)(W, data, key=jax.random.key(0))
    for rate in (-0.1, 1.0, np.nan):
        with pytest.raises(ValueError, match="expected 0 <= rate < 1"):
            stochastic.dropout(SQUARED, rate)
    with pytest.raises(ValueError, match="scale is"):
        stochastic.input_noise(SQUARED, -1.0)
    with pytest.raises(ValueError, match="alpha is"):
        stochastic.mixup(SQUARED, -1.0)
    with pytest.raises(TypeError, match="expected a stochastic risk"):
        stochastic.r_drop(SQUARED, 1.0)
    with pytest.raises(TypeError, match=r"write mixup\(r_drop"):
        stochastic.r_drop(stochastic.dropout(stochastic.mixup(SQUARED, 1.0), 0.1), 1.0)
    with pytest.raises(TypeError, match="risk is function"):
        stochastic.dropout(lambda p, d: 0.0, 0.1)
    with pytest.raises(TypeError, match="only numbers can be averaged"):
        stochastic.mixup(SQUARED, 1.0)(W, (LABELS[:, None], Y), key=jax.random.key(0))
    with pytest.raises(TypeError, match="two functions"):
        stochastic.risk(3, jr.Squared())
