"""What the named models have to do with each other, and with the papers' own forms."""

import warnings

import cvxpy as cp
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxreg as jr
from jaxreg import multitask_models as mm

TASKS, FEATURES = 3, 4


def sample(tasks: int = TASKS) -> jr.Tasks:
    rng = np.random.default_rng(8)
    truth = rng.normal(size=FEATURES) * [2.0, 0.0, 1.0, -1.0]
    made = []
    for m in (9, 6, 7, 5, 8)[:tasks]:
        X = rng.normal(size=(m, FEATURES))
        made.append((X, X @ (truth + 0.4 * rng.normal(size=FEATURES)) + 0.2 * rng.normal(size=m)))
    return jr.tasks(made)


def fit(model, T: jr.Tasks, tol: float = 1e-9) -> jr.Solution:
    return jr.minimize(model.risk(), model.penalty, model.init(T.data), T.data, T.weights, tol=tol)


def coef(model, T: jr.Tasks) -> np.ndarray:
    return np.asarray(model.coef(fit(model, T).params))


def turn(W: np.ndarray, T: jr.Tasks, strength: float, root) -> np.ndarray:
    """Ridge in the metric of the features that `root(W)` gives, of trace one: one turn of the papers' algorithm."""
    X, y = (np.asarray(a) for a in T.data)
    shares = np.asarray(T.weights) / np.asarray(T.weights).sum(1, keepdims=True)
    metric, new = root(W) / np.trace(root(W)), np.zeros_like(W)
    for t, rows in enumerate(shares):
        gram, cross = (X[t].T * rows) @ X[t], (X[t].T * rows) @ y[t]
        new[t] = metric @ np.linalg.solve(gram @ metric + strength * np.eye(FEATURES), cross)
    return new


def matrix_root(W: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(W.T @ W + 1e-14 * np.eye(FEATURES))
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T


def diagonal_root(W: np.ndarray) -> np.ndarray:
    return np.diag(np.linalg.norm(W, axis=0) + 1e-14)


@pytest.mark.parametrize(
    ("model", "root"),
    [
        (mm.task_relationship(0.05, intercept=False), matrix_root),
        (mm.feature_learning(0.05, intercept=False), matrix_root),
        (mm.feature_weights(0.05, intercept=False), diagonal_root),
    ],
)
def test_a_learned_relation_is_a_fixed_point_below_where_turns_end(model, root, x64):
    T = sample(5)
    found = coef(model, T)
    np.testing.assert_allclose(turn(found, T, 0.05, root), found, atol=1e-4)
    turned = np.ones_like(found)
    for _ in range(300):
        turned = turn(turned + 1e-9 * found, T, 0.05, root)
    ours, theirs = (float(model.risk()(W, T.data, T.weights) + model.penalty.value(W)) for W in (found, turned))
    assert ours <= theirs + 1e-9


def test_mean_regularised_lies_between_independent_and_pooled(x64):
    T = sample()
    apart = coef(mm.independent(0.1 * jr.Ridge()), T)
    one = coef(mm.pooled(0.1 * TASKS * jr.Ridge()), T)
    np.testing.assert_allclose(coef(mm.mean_regularised(0.0, 0.1), T), apart, atol=1e-4)
    np.testing.assert_allclose(coef(mm.mean_regularised(1e7, 0.1), T), one, atol=1e-5)
    spreads = [np.ptp(coef(mm.mean_regularised(s, 0.1), T), axis=0).sum() for s in (0.0, 0.3, 3.0)]
    assert spreads[0] > spreads[1] > spreads[2]


def test_mean_regularised_is_a_common_and_an_own_part(x64):
    """½b Σ‖wₜ - u‖² + ½a‖u‖² at its least u is ½b Σ‖wₜ - w̄‖² + ½c T‖w̄‖² with c = ab/(a + bT) (their Lemma)."""
    T, a, b = sample(), 0.3, 0.7
    pull = a * b / (a + b * TASKS)
    mean = mm.mean_regularised(b - pull, pull)
    np.testing.assert_allclose(coef(mm.common_and_own(a, b), T), coef(mean, T), atol=1e-4)


def test_the_dirty_model_has_the_joint_and_the_independent_lasso_as_its_ends(x64):
    T = sample()
    own_is_dear, shared_is_dear = mm.dirty(0.2, 0.2 + 1e-9), mm.dirty(0.2 * TASKS + 1e-9, 0.2)
    np.testing.assert_allclose(coef(own_is_dear, T), coef(mm.joint_features(0.2, "linf"), T), atol=1e-4)
    np.testing.assert_allclose(coef(shared_is_dear, T), coef(mm.independent(0.2 * jr.L1()), T), atol=1e-4)


def test_robust_models_have_their_first_part_as_their_end(x64):
    T = sample()
    np.testing.assert_allclose(coef(mm.robust_features(0.3, 1e3), T), coef(mm.joint_features(0.3), T), atol=1e-4)
    np.testing.assert_allclose(coef(mm.robust(0.3, 1e3), T), coef(mm.low_rank(0.3), T), atol=1e-4)


def test_adaptive_strengths_pool_the_tasks_that_agree(x64):
    """A task is left common where its gradient is within C √(d/nₜ), or within nₜ times that where tasks weigh nₜ."""
    rng = np.random.default_rng(4)
    given = []
    for t, m in enumerate((20, 30, 25, 40, 30)):
        X = rng.normal(size=(m, FEATURES))
        given.append((X, X @ (np.ones(FEATURES) + 3.0 * (t == 4)) + 0.1 * rng.normal(size=m)))
    T = jr.tasks(given)
    own = np.asarray(jr.adaptive_strengths(T.weights, FEATURES, 0.5))
    for strengths, weights in ((own, None), (np.asarray(T.counts) * own, T.counts)):
        model = mm.adaptive(strengths.tolist(), intercept=False)
        risk = model.risk(task_weights=weights)
        sol = jr.minimize(risk, model.penalty, model.init(T.data), T.data, T.weights, tol=1e-10)
        pooled = (np.asarray(sol.params["own"]) == 0).all(1)
        assert pooled.tolist() == [True] * 4 + [False]
        sizes = np.linalg.norm(jax.grad(risk)(sol.params, T.data, T.weights)["own"], axis=1)
        assert (sizes[pooled] < strengths[pooled]).all() and sizes[4] == pytest.approx(strengths[4], rel=1e-4)


ONE = {
    "joint": (mm.joint_features(0.2), 0.2 * jr.L1()),
    "joint-linf": (mm.joint_features(0.2, "linf"), 0.2 * jr.L1()),
    "sparse-group": (mm.sparse_group(0.15, 0.05), 0.2 * jr.L1()),
    "dirty": (mm.dirty(0.2, 0.4, "l2"), 0.2 * jr.L1()),
    "low-rank": (mm.low_rank(0.2), 0.2 * jr.L2(axis=1)),
    "robust": (mm.robust(0.4, 0.2), 0.2 * jr.L2(axis=1)),
    "relationship": (mm.task_relationship(0.2, 0.1), 0.3 * jr.Ridge()),
    "mean": (mm.mean_regularised(5.0, 0.3), 0.3 * jr.Ridge()),
    "common+own": (mm.common_and_own(0.3, 0.6), 0.2 * jr.Ridge()),
    "temporal": (mm.temporal(1.0, 0.2), 0.2 * jr.L1()),
    "fused": (mm.fused_sparse_group(1.0, 0.1, 0.1), 0.2 * jr.L1()),
}


@pytest.mark.parametrize("name", ONE)
def test_one_task_is_the_lasso_or_a_norm(name, x64):
    T, (model, alone) = sample(1), ONE[name]
    np.testing.assert_allclose(coef(model, T), coef(mm.independent(alone), T), atol=1e-4)


def test_features_that_a_task_lacks_stay_zero(x64):
    T = sample()
    lacks = np.array([[False, True, False, False], [False] * 4, [True, False, False, False]])
    found = coef(mm.independent(np.where(lacks, np.inf, 0.1) * jr.L1()), T)
    assert (found[lacks] == 0).all() and (found[~lacks] != 0).sum() > 4
    alone = jr.minimize(
        jr.risk(jr.linear, jr.Squared()),
        0.1 * jr.L1(),
        jr.linear_params((T.data[0][0][:, [0, 2, 3]], T.data[1][0])),
        (T.data[0][0][:, [0, 2, 3]], T.data[1][0]),
        T.weights[0],
        tol=1e-9,
    )
    np.testing.assert_allclose(found[0, [0, 2, 3]], alone.params["coef"], atol=1e-4)


@pytest.mark.parametrize("name", ["joint_features", "low_rank"])
def test_a_feature_that_a_task_lacks_is_a_column_of_zeros(name, x64):
    """A conic solver that is given each task's own subset of features agrees."""
    T, model = sample(), getattr(mm, name)(0.2, intercept=False)
    X = np.asarray(T.data[0]).copy()
    X[0, :, 2], X[2, :, 0] = 0.0, 0.0
    there = np.ones((TASKS, FEATURES), bool)
    there[0, 2], there[2, 0] = False, False
    sol = jr.minimize(model.risk(), model.penalty, model.init(T.data), (X, T.data[1]), T.weights, tol=1e-12)
    W = cp.Variable((TASKS, FEATURES))
    rows = zip(T.ragged(X), T.ragged(T.data[1]), there, range(TASKS), strict=True)
    fit = sum(cp.sum_squares(y - x[:, m] @ W[t][np.flatnonzero(m)]) / (2 * len(y)) for x, y, m, t in rows)
    norm = cp.normNuc(W) if name == "low_rank" else cp.sum(cp.norm(W, 2, axis=0))
    problem = cp.Problem(cp.Minimize(fit + 0.2 * norm))
    problem.solve(solver="CLARABEL", tol_gap_abs=1e-9, tol_gap_rel=1e-9, tol_feas=1e-9)
    assert float(sol.value) == pytest.approx(problem.value, rel=1e-7)
    np.testing.assert_allclose(sol.params, W.value, atol=1e-4 if name == "low_rank" else 2e-5)
    if name == "joint_features":
        assert (np.asarray(sol.params)[~there] == 0).all()


@pytest.mark.parametrize("make", [mm.capped_features, mm.root_features])
def test_stages_never_raise_the_objective_and_end_at_a_stationary_point(make, x64):
    T = sample()
    stages = make(0.2, 0.5, intercept=False)
    done = stages.fit(T, stages=12)
    assert (np.diff(done.objective) <= 1e-9).all() and done.fit.gap <= 1e-6
    W = np.asarray(done.fit.params)
    again = np.asarray(stages.weights(W))
    held = jr.minimize(done.model.risk(), again * jr.L1(), W, T.data, T.weights, tol=1e-10).params
    np.testing.assert_allclose(held, W, atol=1e-3)


def test_the_multi_level_lasso_is_its_product_form(x64):
    """Minimised over θ > 0 on a grid around its closed form, a Σ|θⱼ| + b Σ|wₜⱼ|/θⱼ is 2 √(ab) Σ ‖wⱼ‖₁^½."""
    W, a, b = np.array([[0.5, -2.0], [1.5, 0.0]]), 0.4, 0.3
    theta = np.geomspace(1e-2, 1e2, 200_001)
    best = sum((a * theta + b * np.abs(w).sum() / theta).min() for w in W.T)
    assert float(mm.multi_level(a, b, epsilon=1e-15).value(jnp.asarray(W))) == pytest.approx(best, rel=1e-6)


def test_a_flat_cap_leaves_large_features_unbiased(x64):
    T = sample()
    done = mm.capped_features(0.2, 0.5, intercept=False).fit(T)
    free = np.abs(np.asarray(done.fit.params)).sum(0) > 0.5
    assert free.any()
    gradient = np.asarray(jax.grad(done.model.risk())(done.fit.params, T.data, T.weights))
    assert np.abs(gradient[:, free]).max() < 1e-5


def test_factors_reach_a_stationary_point_of_their_rank(x64):
    T, model = sample(), mm.factors(2, 0.01, 0.01, intercept=False)
    init = model.init(T.data, jax.random.key(3))
    sol = jr.minimize(model.risk(), model.penalty, init, T.data, T.weights, tol=1e-6)
    assert sol.status == jr.Status.CONVERGED and sol.gap <= 1e-6
    assert np.linalg.matrix_rank(np.asarray(model.coef(sol.params)), tol=1e-8) <= 2
    zero = model.risk()(jax.tree.map(jnp.zeros_like, init), T.data, T.weights)
    assert float(sol.value) < 0.2 * float(zero)


def test_factors_near_a_fit_are_its_nearest_of_their_rank_and_weigh_least(x64):
    W = np.random.default_rng(5).normal(size=(4, 6))
    u, s, v = np.linalg.svd(W, full_matrices=False)
    for size in (2, 5):
        model = mm.factors(size, 0.3, 0.3)
        start = model.near({"coef": jnp.asarray(W), "intercept": jnp.arange(4.0)})
        np.testing.assert_allclose(model.coef(start), (u[:, :size] * s[:size]) @ v[:size], atol=1e-12)
        assert start["basis"].shape == (size, 6) and start["loads"].shape == (4, size)

        def weight(c, start=start, model=model):
            scaled = {"loads": start["loads"] / c[None], "basis": start["basis"] * c[:, None]}
            return model.penalty.value({**start, **scaled})

        np.testing.assert_allclose(jax.grad(weight)(jnp.ones(size)), 0.0, atol=1e-12)
    flat = mm.factors(2, 0.1, 0.1, intercept=False).near(jnp.zeros((4, 6)))
    assert all(not np.asarray(x).any() for x in flat.values())


@pytest.mark.parametrize("name", ["joint_features", "low_rank"])
def test_hostile_tasks_are_fitted_and_certified(name, x64):
    rng = np.random.default_rng(2)
    X = rng.normal(size=(8, 3))
    given = [
        (X, X @ [1.0, 2.0, 0.0]),
        (X[:1], np.array([2.0])),
        (X[:0], np.zeros(0)),
        (X[:5], np.full(5, 3.0)),
        (X, X @ [1.0, 2.0, 0.0]),
        (1e3 * X, 1e6 * X[:, 0]),
    ]
    T, model = jr.tasks(given), getattr(mm, name)(0.1)
    sol = fit(model, T, 1e-9)
    found = np.asarray(model.coef(sol.params))
    assert sol.status == jr.Status.CONVERGED and np.isfinite(found).all()
    np.testing.assert_allclose(found[0], found[4], atol=1e-2)
    assert all(np.abs(a).max() < 1e-4 for a in (found[1], found[2], found[3]))


def test_tasks_in_units_far_apart_are_told(x64):
    rng = np.random.default_rng(2)
    X = rng.normal(size=(8, 3))
    near = X @ [1.0, 2.0, 0.0] + 0.1 * rng.normal(size=8)
    model = mm.joint_features(0.1)
    with pytest.warns(UserWarning, match="targets of task.s. 0 vary"):
        jr.fit_tasks(model, jr.tasks([(X, near), (X, 1e6 * near)]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        jr.fit_tasks(model, jr.tasks([(X, near), (X, 1e2 * near)]))


def test_the_names_are_those_of_the_face():
    made = {name for name in mm.__all__ if name[0].islower()}
    assert made == {n for n in dir(mm) if not n.startswith("_") and callable(getattr(mm, n)) and n[0].islower()}
    assert not made & set(jr.__all__)
