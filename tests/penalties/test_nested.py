"""Nested and overlapping groups: identities, optimality for random families, certificates, and what is refused."""

import jax
import numpy as np
import pytest

import jaxreg as jr

LABELS = [0, 0, 1, 2, 2, 2]
APART = ((0, 1), (2,), (3, 4, 5))
WEIGHTS = np.array([1.0, 0.5, 2.0])


def _data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 6))
    return X, X[:, :2] @ np.ones(2) + 0.1 * rng.normal(size=30)


@pytest.mark.parametrize("kind", [jr.TreeL2, jr.LatentGroupL2])
def test_disjoint_groups_are_the_group_lasso(kind: type, dtype: np.dtype):
    rough = 32 * np.finfo(dtype).eps
    for shape, axis in (((6,), -1), ((6, 3), 0), ((2, 6), 1)):
        x = np.random.default_rng(0).normal(size=shape).astype(dtype)
        for weights in (None, WEIGHTS):
            made, plain = kind(APART, weights, axis=axis), jr.GroupL2(LABELS, weights, axis=axis)
            np.testing.assert_allclose(made.value(x), plain.value(x), rtol=rough)
            np.testing.assert_allclose(made.dual(x), plain.dual(x), rtol=rough)
            np.testing.assert_allclose(made.prox(x, 0.4), plain.prox(x, 0.4), atol=rough)


def test_single_entries_and_their_groups_are_the_sparse_group_lasso(x64):
    x = np.random.default_rng(0).normal(size=6)
    tree = jr.TreeL2((*((i,) for i in range(6)), *APART), np.array([*[0.3] * 6, *WEIGHTS]))
    both = 0.3 * jr.L1() + jr.GroupL2(LABELS, WEIGHTS)
    np.testing.assert_allclose(tree.value(x), both.value(x), rtol=1e-14)
    for step in (0.1, 0.5):
        np.testing.assert_allclose(tree.prox(x, step), both.prox(x, step), atol=1e-14)


def test_single_entries_are_l1_and_one_group_is_l2(dtype: np.dtype):
    x = np.random.default_rng(0).normal(size=6).astype(dtype)
    for kind in (jr.TreeL2, jr.LatentGroupL2):
        alone, all_in_one = kind([(i,) for i in range(6)]), kind([range(6)], np.ones(1))
        for made, plain in ((alone, jr.L1()), (all_in_one, jr.L2())):
            np.testing.assert_allclose(made.value(x), plain.value(x), rtol=1e-6)
            np.testing.assert_allclose(made.prox(x, 0.4), plain.prox(x, 0.4), rtol=1e-5, atol=1e-7)


def test_the_order_of_nested_groups_does_not_matter(x64):
    groups, weights = ((0, 1, 2), (0,), (1, 2), (2,), (1, 2)), np.array([0.3, 0.2, 0.4, 0.1, 0.25])
    x, order = np.array([3.0, -2.0, 1.0]), [3, 1, 4, 2, 0]
    other = jr.TreeL2([groups[i] for i in order], weights[order])
    np.testing.assert_allclose(other.prox(x, 0.7), jr.TreeL2(groups, weights).prox(x, 0.7), atol=1e-15)


def test_the_dual_of_a_tree_is_the_step_that_leaves_nothing(dtype: np.dtype):
    tree = jr.TreeL2(((0,), (1, 2), (0, 1, 2, 3), (4,), (5,), (4, 5)))
    us = np.random.default_rng(0).normal(size=(40, 6)).astype(dtype) * np.array([1, 10, 0.1, 1, 3, 0], dtype)
    tops, rough = jax.vmap(tree.dual)(us), 64 * np.finfo(dtype).eps
    assert not np.asarray(jax.vmap(tree.prox)(us, tops * (1 + rough))).any()
    assert np.asarray(jax.vmap(tree.prox)(us, tops * (1 - rough))).any(1).all()


def test_the_dual_of_a_tree_has_a_derivative(x64):
    tree = jr.TreeL2(((0,), (1, 2), (0, 1, 2, 3)), np.array([0.3, 0.5, 0.7]))
    u, h = np.array([1.0, -2.0, 0.5, 0.4]), 1e-6
    slopes = [(tree.dual(u + h * e) - tree.dual(u - h * e)) / (2 * h) for e in np.eye(4)]
    np.testing.assert_allclose(jax.grad(tree.dual)(u), slopes, atol=1e-8)


def _families() -> list[tuple[tuple[tuple[int, ...], ...], np.ndarray]]:
    """Random overlaps, some groups twice or within others, weights of several sizes."""
    made = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        groups = [tuple(rng.choice(12, rng.integers(1, 6), replace=False).tolist()) for _ in range(8)]
        rest = tuple(set(range(12)).difference(*groups)) or (0,)
        groups = (*groups, rest, groups[0], groups[1][:1])
        made.append((groups, np.sqrt([len(g) for g in groups]) * 10 ** rng.uniform(-0.5, 0.5, len(groups))))
    return made


@pytest.mark.parametrize(("groups", "weights"), _families())
def test_latent_groups_meet_their_optimality_conditions(groups: tuple, weights: np.ndarray, dtype: np.dtype):
    """z = x - step u with ‖u_g‖ <= w_g and <u, z> = Ω(z): u is a subgradient at z."""
    g, rng = jr.LatentGroupL2(groups, weights), np.random.default_rng(1)
    sizes = 10 ** rng.uniform(-3, 3, (30, 1)) * 10 ** rng.uniform(-1, 1, (30, 12))
    x, step = (sizes * rng.normal(size=(30, 12))).astype(dtype), (10 ** rng.uniform(-2, 2, 30)).astype(dtype)
    z = jax.vmap(g.prox)(x, step)
    assert np.asarray(z == 0).any() and np.asarray(z != 0).any()
    u, rough = np.asarray(x - z, np.float64), 8 * np.finfo(dtype).eps
    slack = rough * np.abs(x).max(1)
    norms = np.array([[np.linalg.norm(v[list(k)]) for k in groups] for v in u])
    assert (norms <= step[:, None] * weights + slack[:, None]).all()
    inner = np.sum(u * np.asarray(z, np.float64), 1)
    values = np.asarray(jax.vmap(g.value)(z), np.float64)
    np.testing.assert_array_less(np.abs(inner - step * values), slack * np.abs(x).sum(1) + 1e-300)
    assert (inner <= step * values + slack * np.abs(x).sum(1)).all()


def test_the_support_of_latent_groups_is_a_union_of_groups(x64):
    g = jr.LatentGroupL2(((0, 1, 2), (2, 3), (4, 5)), np.ones(3))
    z = np.asarray(g.prox(np.array([2.0, 0.1, 0.1, 0.05, 0.3, -0.4]), 0.6))
    assert z[:3].all() and not z[3:].any()


def test_derivatives_where_groups_are_redundant(x64):
    g = jr.LatentGroupL2(((0, 1), (0, 1), (1, 2), (0, 1, 2)), np.array([1.0, 1.0, 1.0, 1.3]))
    x, h = np.array([2.0, -1.5, 0.7]), 1e-6
    for f in (lambda v: g.prox(v, 0.4), jax.grad(g.value)):
        slopes = np.stack([(f(x + h * e) - f(x - h * e)) / (2 * h) for e in np.eye(3)], 1)
        np.testing.assert_allclose(jax.jacobian(f)(x), slopes, atol=1e-7)


@pytest.mark.parametrize("kind", [jr.TreeL2, jr.LatentGroupL2])
def test_a_path_starts_where_all_groups_leave(kind: type, x64):
    X, y = _data()
    groups = ((0, 1), (0, 1, 2), (3, 4, 5)) if kind is jr.TreeL2 else ((0, 1), (1, 2, 3), (3, 4, 5))
    risk, g = jr.risk(jr.linear, jr.Squared()), kind(groups)
    path = jr.path(risk, g, (X, y), num=8, tol=1e-8)
    assert (path.gap <= 1e-8).all() and not np.asarray(path.params[0]).any()
    below = jr.minimize(risk, 0.99 * float(jr.strength_max(risk, g, (X, y))) * g, np.zeros(6), (X, y), tol=1e-8)
    assert np.asarray(below.params[:2]).all() and not np.asarray(below.params[3:]).any()


def test_an_even_penalty_after_strengths_of_entries(x64):
    x = np.array([3.0, -2.0, 1.0, -0.1, 2.0, 1.0])
    tree = jr.TreeL2((*APART, range(6)), np.array([*WEIGHTS, 0.3]))
    shrunk = (np.arange(6) / 4 * jr.L1()).prox(x, 0.5)
    both = (tree + np.arange(6) / 4 * jr.L1()).prox(x, 0.5)
    np.testing.assert_allclose(both, tree.prox(shrunk, 0.5), atol=1e-15)


@pytest.mark.parametrize("groups", [[()], [(0, 0)], [(-1, 0)], [(0,), (2,)]], ids=repr)
def test_groups_that_are_none(groups: list):
    for kind in (jr.TreeL2, jr.LatentGroupL2):
        with pytest.raises(ValueError, match="group"):
            kind(groups)


def test_what_does_not_fit_is_explained():
    with pytest.raises(ValueError, match="neither"):
        jr.TreeL2([(0, 1), (1, 2)])
    for kind in (jr.TreeL2, jr.LatentGroupL2):
        with pytest.raises(ValueError, match="expected 3 entries on axis -1"):
            kind([(0, 1, 2)]).value(np.ones(4, "float32"))
        with pytest.raises(ValueError, match="one per group"):
            kind([(0, 1), (2,)], np.ones(3)).check()
    with pytest.raises(ValueError, match="> 0"):
        jr.LatentGroupL2([(0, 1), (2,)], np.array([1.0, 0.0])).check()
