"""Learned relations of tasks: Zhang and Yeung's closed form by NumPy, and what alternating with it converges to."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import jaxreg as jr

RNG = np.random.default_rng(0)
W = RNG.normal(size=(4, 3, 2))


def closed_form(rows: np.ndarray, epsilon: float) -> np.ndarray:
    G = rows @ rows.T
    s, V = np.linalg.eigh(G + epsilon * np.trace(G) / len(G) * np.eye(len(G)))
    root = V * np.sqrt(s) @ V.T
    return root / np.trace(root)


def test_it_is_the_closed_form_over_all_leaves(dtype: np.dtype):
    params = {"a": W.astype(dtype), "b": RNG.normal(size=(4, 5)).astype(dtype), "c": np.ones(3, dtype)}
    found = jax.jit(lambda p: jr.learn_relation(p, only="[ab]"))(params)
    rows = np.concatenate([params["a"].reshape(4, -1), params["b"]], 1).astype(float)
    expected = closed_form(rows, 1e-3)
    assert found.omega.dtype == dtype
    np.testing.assert_allclose(found.omega, expected, atol=50 * np.finfo(dtype).eps)
    np.testing.assert_allclose(found.precision @ found.omega, np.eye(4), atol=2e3 * np.finfo(dtype).eps)
    np.testing.assert_allclose(np.diagonal(found.correlations), 1, rtol=1e-5)
    found.coupling().check()
    quadratic = 0.5 * np.einsum("tp,ts,sp->", W.reshape(4, -1), np.linalg.inv(expected), W.reshape(4, -1))
    np.testing.assert_allclose(found.coupling().value(params["a"]), quadratic, rtol=1e-4)
    turned = jr.learn_relation(np.moveaxis(params["a"], 0, 2), axis=2)
    np.testing.assert_allclose(turned.omega, jr.learn_relation(params["a"]).omega, atol=50 * np.finfo(dtype).eps)
    assert turned.coupling(axis=2).axis == 2


def test_no_relation_is_better_and_the_penalty_is_the_squared_nuclear_norm(x64):
    rows = W.reshape(4, -1)
    found = jr.learn_relation(rows, epsilon=1e-9)
    best = float(found.coupling().value(rows))
    np.testing.assert_allclose(best, jr.SquaredNuclear().value(rows), rtol=1e-6)
    for seed in range(20):
        A = np.random.default_rng(seed).normal(size=(4, 4))
        other = np.asarray(found.omega) + 10.0 ** -(seed % 4) * A @ A.T
        other /= np.trace(other)
        assert 0.5 * np.trace(rows.T @ np.linalg.solve(other, rows)) >= best


def test_alternating_converges_to_the_fit_with_the_squared_nuclear_norm(x64):
    rng = np.random.default_rng(1)
    X, true = rng.normal(size=(3, 20, 4)), np.outer([1.0, -1.0, 2.0], rng.normal(size=4))
    y = np.einsum("tnp,tp->tn", X, true) + 0.1 * rng.normal(size=(3, 20))
    risk = jr.multitask(jr.risk(jr.linear, jr.Squared()), axes=0)
    joint = jr.minimize(risk, 0.1 * jr.SquaredNuclear(), np.zeros((3, 4)), (X, y), tol=1e-10)

    def again(w, _):
        L = 0.1 * jr.learn_relation(w, epsilon=1e-6).precision  # a step of its own: the system of all tasks
        H = jnp.einsum("tnp,tnq,ts->tpsq", X, X, jnp.eye(3)) / 20 + jnp.einsum("ts,pq->tpsq", L, jnp.eye(4))
        return jnp.linalg.solve(H.reshape(12, 12), jnp.einsum("tnp,tn->tp", X, y).ravel() / 20).reshape(3, 4), None

    w, _ = jax.lax.scan(again, jnp.ones((3, 4)) + true, length=300)
    value = lambda w: float(risk(w, (X, y)) + (0.1 * jr.SquaredNuclear()).value(w))  # noqa: E731
    assert float(joint.value) * (1 - 1e-9) <= value(w) <= float(joint.value) * (1 + 1e-3)


def test_derivatives_go_through_also_where_eigenvalues_meet(x64):
    one = lambda w: jr.learn_relation(w).omega  # noqa: E731
    check_grads(one, (W.reshape(4, -1),), order=1, modes=["fwd", "rev"], atol=1e-6, rtol=1e-6)
    check_grads(one, (np.eye(4, 5),), order=1, modes=["fwd", "rev"], atol=1e-6, rtol=1e-6)
    held = jax.grad(lambda w: jr.learn_relation(w).coupling().value(w))(W.reshape(4, -1))
    precision = jr.learn_relation(W.reshape(4, -1)).precision
    np.testing.assert_allclose(held, precision @ W.reshape(4, -1), rtol=1e-9)


def test_zero_parameters_are_unrelated_and_bad_input_is_named(dtype: np.dtype):
    blank = jr.learn_relation(np.zeros((3, 2), dtype))
    np.testing.assert_allclose(blank.omega, np.eye(3) / 3, atol=1e-6)
    many = jax.vmap(lambda w: jr.learn_relation(w).omega)(np.stack([W, 2 * W, 0 * W]).astype(dtype))
    np.testing.assert_allclose(many[0], many[1], atol=1e-5)
    assert jax.export.export(jax.jit(lambda w: jr.learn_relation(w).omega), platforms=("cpu", "cuda", "tpu"))(
        W.astype(dtype)
    ).platforms == ("cpu", "cuda", "tpu")
    with pytest.raises(ValueError, match="epsilon is 0"):
        jr.learn_relation(W, epsilon=0)
    with pytest.raises(ValueError, match=r"has \[4, 2\] tasks"):
        jr.learn_relation({"a": W, "b": np.ones((2, 2))})
    with pytest.raises(ValueError, match="matches no leaf"):
        jr.learn_relation({"a": W}, only="b")
