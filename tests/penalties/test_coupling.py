"""Coupling along the task axis: identities, limits, derivatives in the graph, and exactly equal tasks."""

import cvxpy as cp
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxreg as jr
import oracles

PAIRS = [(0, 1), (1, 2), (0, 3), (3, 2)]
RING = jr.Graph.edges(PAIRS, 4, [1.0, 0.5, 2.0, 0.3])
PATH = jr.Graph.edges([(t, t + 1) for t in range(3)], 4)
COMPLETE = np.eye(4) - np.full((4, 4), 1 / 4)
EVERY = (jr.ToMean(), RING, jr.Graph(RING.laplacian), jr.Chain(), jr.Clustered())


def name(penalty):
    return f"{type(penalty).__name__}{'-cached' if getattr(penalty, 'values', None) is not None else ''}"


def drawn(shape, dtype, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (jr.ToMean(), jr.Graph(COMPLETE)),
        (jr.ToMean(), jr.Graph.of(COMPLETE)),
        (jr.Chain(), PATH),
        (RING, jr.Graph(RING.laplacian)),
        (jr.Clustered(), jr.Clustered(np.ones((4, 4)))),
    ],
    ids=lambda v: name(v),
)
def test_two_forms_of_one_penalty(one: jr.Penalty, other: jr.Penalty, dtype: np.dtype):
    x, rounding = drawn((4, 3), dtype), 32 * np.finfo(dtype).eps
    np.testing.assert_allclose(one.value(x), other.value(x), rtol=rounding)
    for step in (1e-3, 0.7, 50.0, 1e9, np.inf):
        np.testing.assert_allclose(one.prox(x, step), other.prox(x, step), atol=rounding)


def test_a_graph_without_edges_is_nothing(dtype: np.dtype):
    x = drawn((4, 3), dtype)
    for empty in (jr.Graph(np.zeros((4, 4))), jr.Graph.of(np.zeros((4, 4))), jr.Graph.edges([], 4)):
        assert empty.value(x) == 0
        np.testing.assert_array_equal(empty.prox(x, 3.0), x)
        np.testing.assert_array_equal(empty.prox(x, np.inf), x)


@pytest.mark.parametrize("penalty", EVERY, ids=name)
def test_an_infinite_strength_gives_the_mean(penalty: jr.Penalty, dtype: np.dtype):
    x = drawn((4, 3), dtype)
    mean = np.broadcast_to(x.mean(0), x.shape)
    for step in (1e9, np.inf):
        np.testing.assert_allclose((step * penalty).prox(x, 1.0), mean, atol=2e-8 + 8 * np.finfo(dtype).eps)
    np.testing.assert_array_equal((0.0 * penalty).prox(x, 1.0), x)
    np.testing.assert_array_equal((np.inf * penalty).prox(x, 0.0), x)


def test_components_of_a_graph_have_their_own_means(dtype: np.dtype):
    x = drawn((4, 3), dtype)
    apart = np.zeros((4, 4))
    apart[0, 1] = apart[1, 0] = apart[2, 3] = apart[3, 2] = 1.0
    expected = np.repeat([x[:2].mean(0), x[2:].mean(0)], 2, axis=0)
    for penalty in (jr.Graph.edges([(0, 1), (2, 3)], 4), jr.Clustered(apart)):
        np.testing.assert_allclose(penalty.prox(x, np.inf), expected, atol=1e-6)


@pytest.mark.parametrize("make", [jr.ToMean, jr.Chain, jr.Clustered, lambda axis: jr.Graph.of(RING.laplacian, axis)])
def test_another_axis_is_a_transpose(make, dtype: np.dtype):
    x, rounding = drawn((4, 2, 3), dtype), 32 * np.finfo(dtype).eps
    for axis in (1, -1):
        moved = np.moveaxis(x, 0, axis)
        expected = np.moveaxis(make(axis=0).prox(x, 0.4), 0, axis)
        np.testing.assert_allclose(make(axis=axis).prox(moved, 0.4), expected, atol=rounding)
        np.testing.assert_allclose(make(axis=axis).value(moved), make(axis=0).value(x), rtol=rounding)


@pytest.mark.parametrize("penalty", [RING, jr.Graph(RING.laplacian)], ids=name)
def test_derivatives_in_the_graph(penalty: jr.Graph, x64):
    """Eigenvalues are equal here and there; the resolvent has a derivative all the same."""
    rng = np.random.default_rng(0)
    x, bent, t = rng.normal(size=(4, 3)), PATH.laplacian, 0.7

    def at(h, act):
        return act(jax.tree.map(jnp.asarray, jr.Graph(penalty.laplacian + h * bent)))

    for act in (lambda g: g.prox(x, t), lambda g: g.value(x)):
        step = jr.Graph(bent, 0, *[0 * v for v in (penalty.values, penalty.vectors) if v is not None])
        slope = jax.jvp(act, (jax.tree.map(jnp.asarray, penalty),), (jax.tree.map(jnp.asarray, step),))[1]
        np.testing.assert_allclose(slope, (at(1e-6, act) - at(-1e-6, act)) / 2e-6, atol=1e-7)
    complete = jax.grad(lambda L: jnp.sum(jr.Graph(L).prox(x, t) ** 2))(jnp.asarray(COMPLETE))
    assert np.isfinite(complete).all() and np.abs(complete).max() > 1e-3


def test_a_batch_of_graphs(dtype: np.dtype):
    x = drawn((4, 3), dtype)
    graphs = np.stack([RING.laplacian, PATH.laplacian]).astype(dtype)
    batch = jax.vmap(lambda L: jr.Graph(L).prox(x, 0.5))(graphs)
    cached = jax.vmap(lambda g: g.prox(x, 0.5))(jax.tree.map(lambda *v: np.stack(v).astype(dtype), RING, PATH))
    for made in (batch, cached):
        for g, z in zip((RING, PATH), made, strict=True):
            np.testing.assert_allclose(z, g.prox(x, 0.5), atol=32 * np.finfo(dtype).eps)


def test_the_value_of_nearly_equal_tasks_keeps_its_digits():
    x = np.float32(1e3) + np.arange(12, dtype="float32").reshape(4, 3) / 8
    expected = 0.5 * np.sum(x.astype(float) * (RING.laplacian @ x.astype(float)))
    np.testing.assert_allclose(RING.value(x), expected, rtol=1e-3)


def test_a_long_chain(dtype: np.dtype):
    x = drawn((500, 2), dtype)
    D = np.diff(np.eye(500), axis=0)
    for step in (1.0, 1e4):
        expected = np.linalg.solve(np.eye(500) + step * D.T @ D, x.astype(float))
        np.testing.assert_allclose(jr.Chain().prox(x, step), expected, atol=64 * np.finfo(dtype).eps)
    np.testing.assert_allclose(jr.Chain().prox(x, np.inf)[0], x.mean(0), atol=500 * np.finfo(dtype).eps)


def test_two_tasks_meet_in_closed_form(dtype: np.dtype):
    x = np.array([[3.0, 4.0], [0.0, 0.0]], dtype)
    z = jr.Clustered().prox(x, 1.0)
    np.testing.assert_allclose(z, [[2.4, 3.2], [0.6, 0.8]], rtol=8 * np.finfo(dtype).eps)
    assert np.array_equal(*jr.Clustered().prox(x, 2.6))


def clusters(tasks: int, features: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(4, features))[rng.integers(0, 4, tasks)] + 0.1 * rng.normal(size=(tasks, features))


def near(x: np.ndarray) -> np.ndarray:
    """Weights that decay with the distance and vanish beyond a few neighbours."""
    square = np.sum((x[:, None] - x[None]) ** 2, -1)
    w = np.exp(-square) * (square <= np.sort(square, 1)[:, 5:6])
    return np.maximum(w, w.T)


@pytest.mark.parametrize("weigh", [lambda x: np.ones((len(x),) * 2), near], ids=["all", "near"])
def test_clusters_are_those_of_a_conic_solver(weigh, dtype: np.dtype):
    x = clusters(12, 3)
    w = weigh(x)
    for step in (0.01, 0.06, 0.3):
        z = np.asarray(jr.Clustered(w).prox(x.astype(dtype), step))
        expected = oracles.cvx_prox(
            lambda v: (sum(w[s, t] * cp.norm(v[s] - v[t], 2) for s in range(12) for t in range(s)), []), x, step
        )
        np.testing.assert_allclose(z, expected, atol=2e-4)
        square = np.sum((expected[:, None] - expected[None]) ** 2, -1)
        assert np.array_equal((z[:, None] == z[None]).all(-1), square < 1e-6), "equal tasks are equal exactly"


@pytest.mark.parametrize("tasks", [30, 80])
def test_many_tasks_in_single_precision(tasks: int):
    """Both precisions find one answer: the iteration has converged in each."""
    x = clusters(tasks, 8, 1).astype("float32")
    for step in (0.2 / tasks, 1.2 / tasks):
        single = jr.Clustered().prox(x, np.float32(step))
        with jax.enable_x64(True):
            double = np.asarray(jr.Clustered().prox(x.astype(float), float(np.float32(step))))
        np.testing.assert_allclose(single, double, atol=2e-5)


def test_derivatives_of_clusters(x64):
    x, h = clusters(6, 3), 1e-6
    rng = np.random.default_rng(1)
    dx, w, dw = rng.normal(size=x.shape), np.ones((6, 6)), rng.uniform(size=(6, 6))
    dw = dw + dw.T

    def at(s):
        return jr.Clustered(w + s * dw).prox(x + s * dx, 0.15 + 0.02 * s)

    z = np.asarray(at(0.0))
    assert 1 < len(np.unique(z, axis=0)) < 6, "some tasks are joined, not all"
    np.testing.assert_allclose(jax.jacfwd(at)(0.0), (at(h) - at(-h)) / (2 * h), atol=1e-6)


@pytest.mark.parametrize("penalty", EVERY, ids=name)
def test_nan_in_is_nan_out(penalty: jr.Penalty, dtype: np.dtype):
    x = drawn((4, 3), dtype)
    x[1, 1] = np.nan
    assert np.isnan(penalty.prox(x, 0.5))[1, 1] and np.isnan(penalty.value(x))


@pytest.mark.parametrize("kind", [jnp.bfloat16, jnp.float16])
@pytest.mark.parametrize("penalty", EVERY, ids=name)
def test_half_precision(penalty: jr.Penalty, kind):
    x = jnp.asarray(drawn((4, 3), "float32"), kind)
    z, full = penalty.prox(x, 0.5), penalty.prox(x.astype(jnp.float32), 0.5)
    assert z.dtype == kind and penalty.value(x).dtype == kind
    np.testing.assert_allclose(z.astype(jnp.float32), full, atol=4 * float(jnp.finfo(kind).eps))


@pytest.mark.parametrize("penalty", EVERY, ids=name)
def test_every_scale(penalty: jr.Penalty, dtype: np.dtype):
    x, rounding = drawn((4, 3), dtype), 64 * np.finfo(dtype).eps
    for size in (1e-9, 1e9):
        step = 0.2 * size if penalty.homogeneous else 0.2
        np.testing.assert_allclose(penalty.prox(dtype.type(size) * x, step) / size, penalty.prox(x, 0.2), atol=rounding)


def test_empty_arrays_and_a_single_task(dtype: np.dtype):
    single = (jr.Chain(), jr.Clustered(), jr.Graph(np.zeros((1, 1))), jr.ToMean())
    for penalty in single:
        x = drawn((1, 3), dtype)
        np.testing.assert_array_equal(penalty.prox(x, 2.0), x)
        assert penalty.value(x) == 0
    for penalty in (jr.Chain(), jr.Clustered(), jr.Graph(np.zeros((0, 0)))):
        x = np.zeros(0, dtype)
        assert penalty.prox(x, 2.0).shape == (0,) and penalty.value(x) == 0


def test_what_is_out_of_range_is_named():
    for wrong in (np.ones(3), np.ones((2, 3)), np.array([[1.0, 0.0], [1.0, 1.0]]), -np.eye(2), np.full((2, 2), np.nan)):
        with pytest.raises(ValueError, match="Laplacian"):
            jr.Graph(wrong).check()
        with pytest.raises(ValueError, match="Laplacian"):
            jr.Graph.of(wrong)
    with pytest.raises(ValueError, match="4 tasks"):
        jr.Graph(np.eye(3)).prox(np.ones((4, 2), "float32"), 1.0)
    with pytest.raises(ValueError, match="join tasks"):
        jr.Graph.edges([(0, 3)], 3)
    for weights in ([1.0], [1.0, -1.0]):
        with pytest.raises(ValueError, match="2 numbers"):
            jr.Graph.edges([(0, 1), (1, 2)], 3, weights)
    for wrong in (np.ones(3), np.triu(np.ones((3, 3))), -np.ones((3, 3)), np.full((3, 3), np.inf)):
        with pytest.raises(ValueError, match="Clustered"):
            jr.Clustered(wrong).check()
    with pytest.raises(ValueError, match="4 tasks"):
        jr.Clustered(np.ones((3, 3))).prox(np.ones((4, 2), "float32"), 1.0)
