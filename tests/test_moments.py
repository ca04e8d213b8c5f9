"""Moments against one-row-at-a-time sums: weighted, added, subtracted, rescaled."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxreg as jr
import oracles
from jaxreg.paths._host import host_moments

FIELDS = ("weight", "x_mean", "y_mean", "xx", "xy", "yy")


def sample(outputs: tuple = (), n: int = 20) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    w = rng.uniform(0.1, 2.0, n)
    w[::5] = 0
    return rng.normal(size=(n, 3)) + 5, rng.normal(size=(n, *outputs)) - 2, w


def same(a: jr.Moments, b: jr.Moments, tol: float = 1e-10) -> None:
    for name in FIELDS:
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=tol, atol=tol, err_msg=name)


@pytest.mark.parametrize("outputs", [(), (2,)])
def test_against_the_oracle(outputs: tuple, x64):
    X, y, w = sample(outputs)
    same(jr.moments(X, y, w), jr.Moments(*oracles.moments(X, y, w)))
    same(jr.moments(X, y), jr.Moments(*oracles.moments(X, y, np.ones(len(y)))))


@pytest.mark.parametrize("outputs", [(), (2,)])
def test_chunks_add_and_subtract(outputs: tuple, x64):
    X, y, w = sample(outputs)
    parts = [jr.moments(X[r], y[r], w[r]) for r in (slice(0, 7), slice(7, 8), slice(8, 20))]
    whole = jr.moments(X, y, w)
    same(sum(parts), whole)
    same(whole - parts[0], parts[1] + parts[2])
    empty = jr.moments(X, y, 0 * w)
    same(whole + empty, whole)
    same(empty + whole, whole)
    assert float((whole - whole).weight) == 0


def test_a_large_mean_costs_no_digits():
    """float32 with a mean of 1e4: centred sums keep five digits where raw sums lose all."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1000, 2))
    far = (X + 1e4).astype("float32")
    exact = np.cov(far.astype(float).T, bias=True)
    both = jr.moments(far[:400], far[:400, 0]) + jr.moments(far[400:], far[400:, 0])
    np.testing.assert_allclose(both.gram()[0], exact, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("outputs", [(), (2,)])
def test_standardise_in_closed_form(outputs: tuple, x64):
    X, y, w = sample(outputs)
    m = jr.moments(X, y, w)
    mean = np.average(X, axis=0, weights=w)
    std = np.sqrt(np.average((X - mean) ** 2, axis=0, weights=w))
    np.testing.assert_allclose(m.x_std, std)
    same(m.rescale(m.x_std), jr.moments(X / std, y, w))
    np.testing.assert_allclose(np.diag(m.rescale(m.x_std).gram()[0]), 1.0)


@pytest.mark.parametrize("outputs", [(), (2,)])
def test_gram_and_squared_error(outputs: tuple, x64):
    X, y, w = sample(outputs)
    m, rng = jr.moments(X, y, w), np.random.default_rng(1)
    raw = m.gram(centre=False)
    np.testing.assert_allclose(raw[0], (X.T * w) @ X / w.sum())
    np.testing.assert_allclose(raw[1], (X.T * w) @ y / w.sum())
    np.testing.assert_allclose(raw[2], np.average(y**2, axis=0, weights=w))
    coef, b = rng.normal(size=(3, *outputs)), rng.normal(size=outputs)
    errors = ((y - X @ coef - b) ** 2).reshape(len(y), -1).sum(1)
    np.testing.assert_allclose(m.squared_error(coef, b), np.average(errors, weights=w))


def test_batched_moments_join_lane_by_lane(x64):
    X, y, w = sample()
    lanes = np.stack([w, np.roll(w, 1)])
    batch = jax.vmap(lambda w: jr.moments(X, y, w))(lanes)
    whole = jr.moments(X, y, lanes.sum(0))
    same(jax.tree.map(lambda x: x[0], batch) + jax.tree.map(lambda x: x[1], batch), whole)
    joined = batch + batch
    np.testing.assert_allclose(joined.xx[1], 2 * batch.xx[1])


def test_dtype_is_that_of_the_features(dtype: np.dtype):
    m = jr.moments(np.ones((3, 2), dtype), np.arange(3))
    assert all(x.dtype == dtype for x in jax.tree.leaves(m))
    assert jnp.all(m.x_std == 0)
    with pytest.raises(TypeError):
        m + 1


def test_a_sample_less_itself_leaves_nothing(x64):
    rng = np.random.default_rng(0)
    X, y, w = rng.normal(size=(3, 2)) + 5, rng.normal(size=3) + 4, np.array([0.1, 0.2, 0.3])
    whole = jr.moments(X, y, w)
    parts = jr.moments(X[:1], y[:1], w[:1]) + jr.moments(X[1:], y[1:], w[1:])
    for gone in (whole - whole, whole - parts):
        assert all((np.asarray(leaf) == 0).all() for leaf in jax.tree.leaves(gone))


@pytest.mark.parametrize("mean", [0.0, 1.5, 1e6])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("outputs", [(), (2,)])
def test_moments_on_the_host_keep_the_digits_of_a_large_mean(mean: float, weighted: bool, outputs: tuple, x64):
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(9000, 3)) + mean, rng.normal(size=(9000, *outputs)) + mean
    w = rng.uniform(size=9000) if weighted else np.full(9000, 0.5)
    exact = [a.astype(np.longdouble) for a in (X, y, w)]
    Xc, yc = (a - np.tensordot(exact[2], a, 1) / exact[2].sum() for a in exact[:2])
    found = host_moments(X, y, w)
    np.testing.assert_allclose(found.xx, (Xc.T * exact[2]) @ Xc, rtol=1e-9, atol=1e-8)
    np.testing.assert_allclose(found.xy, (Xc.T * exact[2]) @ yc, rtol=1e-9, atol=1e-8)
    np.testing.assert_allclose(found.yy, exact[2] @ yc**2, rtol=1e-9)
