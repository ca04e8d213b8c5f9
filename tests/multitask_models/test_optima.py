"""Every named convex model against a conic solver: the same optimum, with a certificate."""

import cvxpy as cp
import numpy as np
import pytest

import jaxreg as jr
from jaxreg import multitask_models as mm

ROWS, FEATURES = (7, 9, 3), 4
LAPLACIAN = np.asarray(jr.Graph.edges([(0, 1), (1, 2)], 3).laplacian)
ROOT = np.array([[1.0, -1.0, 0.0], [0.0, 1.0, -1.0]])


def ragged() -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(5)
    shared = rng.normal(size=FEATURES) * [1.0, 0.0, 2.0, 0.5]
    made = []
    for m in ROWS:
        X = rng.normal(size=(m, FEATURES)) * [1.0, 3.0, 0.5, 1.0] + 1.0
        made.append((X, X @ (shared + 0.3 * rng.normal(size=FEATURES)) + 2.0 + 0.1 * rng.normal(size=m)))
    return made


def joint(W):
    return cp.sum(cp.norm(W, 2, axis=0))


def tasks(W):
    return cp.sum(cp.norm(W, 2, axis=1))


def top(W):
    return cp.sum(cp.max(cp.abs(W), axis=0))


def l1(W):
    return cp.sum(cp.abs(W))


def ridge(W):
    return 0.5 * cp.sum_squares(W)


def spread(W):
    return 0.5 * cp.sum_squares((np.eye(3) - 1 / 3) @ W)


def cluster(W):
    """½ min tr(Wᵀ(εI + M)⁻¹W) over 0 ⪯ M ⪯ I, tr M <= 2, by a matrix-fractional cone."""
    M = cp.Variable((3, 3), symmetric=True)
    fraction = sum(cp.matrix_frac(W[:, j], 0.2 * np.eye(3) + M) for j in range(FEATURES))
    return 0.5 * fraction, [M >> 0, np.eye(3) - M >> 0, cp.trace(M) <= 2]


def pairs(W):
    return sum(cp.norm(W[s] - W[t], 2) for s in range(3) for t in range(s))


TWO = {"shared": True, "own": True}
MODELS = {
    "lasso": (mm.independent(0.3 * jr.L1()), lambda c: 0.3 * l1(c["coef"])),
    "elastic-net": (mm.elastic_net(0.2, 0.1), lambda c: 0.2 * l1(c["coef"]) + 0.1 * ridge(c["coef"])),
    "pooled": (mm.pooled(0.3 * jr.Ridge()), lambda c: 0.3 * ridge(c["common"])),
    "mean": (mm.mean_regularised(0.5, 0.2), lambda c: 0.5 * spread(c["coef"]) + 0.2 * ridge(c["coef"])),
    "common+own": (mm.common_and_own(0.2, 0.5), lambda c: 0.2 * ridge(c["common"]) + 0.5 * ridge(c["own"])),
    "adaptive": (
        mm.adaptive(np.array([0.2, 0.3, 0.4])),
        lambda c: cp.sum(cp.multiply([0.2, 0.3, 0.4], cp.norm(c["own"], 2, axis=1))),
    ),
    "joint": (mm.joint_features(0.4), lambda c: 0.4 * joint(c["coef"])),
    "joint-linf": (mm.joint_features(0.4, "linf"), lambda c: 0.4 * top(c["coef"])),
    "sparse-group": (mm.sparse_group(0.3, 0.1), lambda c: 0.3 * joint(c["coef"]) + 0.1 * l1(c["coef"])),
    "dirty": (mm.dirty(0.5, 0.2), lambda c: 0.5 * top(c["shared"]) + 0.2 * l1(c["own"])),
    "dirty-l2": (mm.dirty(0.4, 0.2, "l2"), lambda c: 0.4 * joint(c["shared"]) + 0.2 * l1(c["own"])),
    "robust-features": (
        mm.robust_features(0.4, 0.3),
        lambda c: 0.4 * joint(c["shared"]) + 0.3 * tasks(c["outliers"]),
    ),
    "feature-weights": (mm.feature_weights(0.1), lambda c: 0.05 * cp.square(joint(c["coef"]))),
    "low-rank": (mm.low_rank(0.5), lambda c: 0.5 * cp.normNuc(c["coef"])),
    "sparse+low-rank": (
        mm.sparse_low_rank(0.5, 0.2),
        lambda c: 0.5 * cp.normNuc(c["low_rank"]) + 0.2 * l1(c["sparse"]),
    ),
    "robust": (mm.robust(0.5, 0.3), lambda c: 0.5 * cp.normNuc(c["low_rank"]) + 0.3 * tasks(c["outliers"])),
    "relationship": (
        mm.task_relationship(0.1, 0.05),
        lambda c: 0.05 * cp.square(cp.normNuc(c["coef"])) + 0.05 * ridge(c["coef"]),
    ),
    "feature-learning": (mm.feature_learning(0.1), lambda c: 0.05 * cp.square(cp.normNuc(c["coef"]))),
    "clustered": (mm.clustered(2, 0.3, 0.2), lambda c: cluster(c["coef"])),
    "graph": (
        mm.graph(0.5, LAPLACIAN, ridge=0.1),
        lambda c: 0.25 * cp.sum_squares(ROOT @ c["coef"]) + 0.1 * ridge(c["coef"]),
    ),
    "sparse-graph": (
        mm.graph(0.5, LAPLACIAN, lasso=0.2),
        lambda c: 0.25 * cp.sum_squares(ROOT @ c["coef"]) + 0.2 * l1(c["coef"]),
    ),
    "temporal": (
        mm.temporal(0.5, 0.3, 0.1),
        lambda c: 0.25 * cp.sum_squares(ROOT @ c["coef"]) + 0.3 * joint(c["coef"]) + 0.1 * ridge(c["coef"]),
    ),
    "fused-sparse-group": (
        mm.fused_sparse_group(0.2, 0.2, 0.1),
        lambda c: 0.2 * l1(ROOT @ c["coef"]) + 0.2 * joint(c["coef"]) + 0.1 * l1(c["coef"]),
    ),
    "convex-clustering": (mm.convex_clustering(0.3), lambda c: 0.3 * pairs(c["coef"])),
}
SPLIT = {"sparse-graph": 1e-10, "temporal": 1e-10, "fused-sparse-group": 1e-10, "convex-clustering": 1e-8}
# A gap of ε leaves coefficients √ε apart where the objective is flat, here or there.
FLAT = {"joint": 3e-5, "relationship": 5e-5, "temporal": 2e-4}


def squared(y, z):
    return cp.sum_squares(y - z) / 2


def logistic(y, z):
    return cp.sum(cp.logistic(z) - cp.multiply(y, z))


def optimum(model: mm.TaskModel, penalty, given=None, loss=squared) -> tuple[float, np.ndarray]:
    """The least objective and its coefficients (tasks, features)."""
    parts = {name: cp.Variable((3, FEATURES) if own else FEATURES) for name, own in model.parts}
    level, total = cp.Variable(3), 0
    for t, (X, y) in enumerate(given or ragged()):
        w = sum(parts[name][t] if own else parts[name] for name, own in model.parts)
        total += loss(y, X @ w + level[t]) / len(y)
    value = penalty(parts)
    value, bounds = (0.3 * value[0], value[1]) if isinstance(value, tuple) else (value, [])
    problem = cp.Problem(cp.Minimize(total + value), bounds)
    tol = 1e-9 if loss is squared else 1e-7  # exponential cones end there
    problem.solve(solver="CLARABEL", tol_gap_abs=tol, tol_gap_rel=tol, tol_feas=tol)
    return float(problem.value), sum(np.broadcast_to(part.value, (3, FEATURES)) for part in parts.values())


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_at_the_optimum_of_a_conic_solver(name, x64):
    model, penalty = MODELS[name]
    T = jr.tasks(ragged())
    tol = SPLIT.get(name, 1e-10)
    sol = jr.minimize(model.risk(), model.penalty, model.init(T.data), T.data, T.weights, tol=tol)
    assert sol.status == jr.Status.CONVERGED and sol.gap <= tol
    value, coef = optimum(model, penalty)
    assert float(sol.value) == pytest.approx(value, rel=1e-6)
    np.testing.assert_allclose(model.coef(sol.params), coef, rtol=0, atol=FLAT.get(name, 1e-5) * np.abs(coef).max())
    again = model.risk()(sol.params, T.data, T.weights) + model.penalty.value(sol.params)
    assert float(again) == pytest.approx(float(sol.value), rel=1e-12)


@pytest.mark.parametrize("units", [(1.0, 1.0, 1.0, 1.0), (1.0, 100.0, 0.01, 1.0)], ids=["even", "far"])
@pytest.mark.parametrize("name", ["joint", "low-rank", "dirty", "robust", "adaptive", *sorted(SPLIT)])
def test_logistic_tasks_are_at_the_optimum_whatever_the_units_of_features(name, units, x64):
    model, penalty = MODELS[name]
    rng = np.random.default_rng(0)
    noisy = [(X, X[:, 0] - X[:, 2] + rng.normal(size=len(y))) for X, y in ragged()]
    given = [(X * units, (z > np.median(z)).astype(float)) for X, z in noisy]
    T, weak = jr.tasks(given), 0.1 * model.penalty
    sol = jr.minimize(model.risk(jr.Logistic()), weak, model.init(T.data), T.data, T.weights, tol=1e-9)
    assert sol.status == jr.Status.CONVERGED and sol.gap <= 1e-9 and sol.steps <= 30
    least, _ = optimum(model, lambda c: 0.1 * penalty(c), given, logistic)
    assert float(sol.value) == pytest.approx(least, rel=1e-6)


@pytest.mark.parametrize("name", ["sparse-graph", "temporal", "fused-sparse-group"])
@pytest.mark.parametrize("solver", [None, jr.ADMM(), jr.PDHG(), jr.DavisYin()], ids=repr)
@pytest.mark.parametrize("loss", [jr.Squared(), jr.Logistic()], ids=repr)
def test_the_gap_of_a_sum_bounds_what_is_left(loss, solver, name, x64):
    """In units so far apart that a small KKT residual would say nothing."""
    model, _ = MODELS[name]
    given = [(X * (1.0, 100.0, 0.01, 1.0), y if loss.quadratic else (y > np.median(y)) * 1.0) for X, y in ragged()]
    T = jr.tasks(given)

    def fit(tol, solver, init):
        data = (model.risk(loss), 0.2 * model.penalty, init, T.data, T.weights)
        return jr.minimize(*data, tol=tol, solver=solver, max_steps=40_000, on_fail="ignore")

    zero = model.init(T.data)
    best = fit(1e-10, None, zero)
    assert best.status == jr.Status.CONVERGED
    null = model.risk(loss)(zero, T.data, T.weights) if not loss.quadratic else sum(np.var(y) / 2 for _, y in given)
    for tol in (0.3, 0.03, 0.003):
        sol = fit(tol, solver, zero)
        left = float(sol.value - best.value) / float(null)
        assert -1e-9 <= left <= sol.gap


@pytest.mark.parametrize("name", ["dirty", "robust", "joint-linf", "adaptive", "relationship"])
def test_float32_keeps_its_own_floor(name):
    model, _ = MODELS[name]
    X, y, w = (np.asarray(x, "float32") for x in (*jr.tasks(ragged()).data, jr.tasks(ragged()).weights))
    sol = jr.minimize(model.risk(), model.penalty, model.init((X, y)), (X, y), w, tol=1e-4)
    assert sol.status == jr.Status.CONVERGED and sol.gap <= 1e-4 and sol.gap.dtype == np.float32


def test_a_path_and_its_folds_are_certified_and_equal_fits_one_by_one(x64):
    model, T = MODELS["dirty"][0], jr.tasks(ragged())
    strengths = np.array([3.0, 1.0, 0.3])
    cv = jr.cross_validate(
        model.risk(), model.penalty, T.data, weights=T.weights, init=model.init(T.data), folds=3, strengths=strengths
    )
    assert cv.path.route == "moments" and cv.gap.max() <= 1e-6 and (cv.status == 0).all()
    alone = jr.minimize(model.risk(), 0.3 * model.penalty, model.init(T.data), T.data, T.weights, tol=1e-10)
    np.testing.assert_allclose(cv.path.value[-1], alone.value, rtol=1e-6)
    assert model.coef(cv.path.params).shape == (3, 3, FEATURES)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: mm.dirty(-1.0, 0.1), "shared is -1.0"),
        (lambda: mm.joint_features(1.0, "l3"), "norm is 'l3'"),
        (lambda: mm.clustered(0, 1.0).penalty.check(), "k is 0"),
        (lambda: mm.clustered(2, 1.0, -0.1).penalty.check(), "epsilon is -0.1"),
        (lambda: mm.factors(0, 1.0, 1.0), "size is 0"),
        (lambda: mm.root_features(1.0, 0.0), "epsilon is 0.0, expected numbers > 0"),
        (lambda: mm.multi_level(1.0, 1.0, -0.2), "epsilon is -0.2"),
        (lambda: mm.low_rank(np.nan), "rank is nan"),
        (lambda: mm.graph(1.0, np.diag([1.0, -1.0])), "no negative eigenvalue"),
    ],
)
def test_what_cannot_be_used_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
