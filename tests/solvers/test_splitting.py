"""Sums without a prox, penalties of linear maps, losses without gradient: splitting solvers against cvxpy and peers."""

from functools import partial

import cvxpy as cp
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import QuantileRegressor

import jaxreg as jr
from jaxreg.solvers._certificate import certify, reference
from jaxreg.solvers._problem import bind
from jaxreg.solvers.minimize import choose

SQUARED, LOGISTIC = jr.risk(jr.linear, jr.Squared()), jr.risk(jr.linear, jr.Logistic())
D = np.diff(np.eye(6), axis=0)
GRAPH = np.array([[1.0, -1.0, 0.0, 0.0], [0.0, 1.0, -1.0, 0.0], [1.0, 0.0, 0.0, -1.0]])
STEPS = {"DavisYin": 30, "ADMM": 30, "PDHG": 60, "DouglasRachford": 30, "ISTA": 30, "PANOC": 15, "FISTA": 20}
STEPS["AndersonSplitting"] = 10
SOLVERS = {name: getattr(jr, name)() for name in STEPS}


def sample(dtype="float64"):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 6))
    y = X @ np.array([1.0, 1.0, -1.0, 0.0, 0.0, 2.0]) + 0.5 * rng.normal(size=30)
    return X.astype(dtype), y.astype(dtype)


def outputs(dtype="float64"):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(30, 4))
    Y = X @ np.outer([1.0, 2.0, 0.0, 0.0], [1.0, -1.0, 0.5]) + 0.3 * rng.normal(size=(30, 3))
    return X.astype(dtype), Y.astype(dtype)


def squares(data, b=0.0):
    X, y = data
    return lambda w: cp.sum_squares(X @ w + b - y) / (2 * len(y))


CASES = {
    "l1+nuclear": (
        SQUARED,
        0.1 * jr.L1() + 0.2 * jr.Nuclear(),
        outputs,
        lambda w, X, y: squares((X, y))(w) + 0.1 * cp.sum(cp.abs(w)) + 0.2 * cp.normNuc(w),
    ),
    "rows+columns": (
        SQUARED,
        0.1 * jr.L2(axis=0) + 0.1 * jr.L2(axis=1),
        outputs,
        lambda w, X, y: squares((X, y))(w) + 0.1 * cp.sum(cp.norm(w, 2, axis=0)) + 0.1 * cp.sum(cp.norm(w, 2, axis=1)),
    ),
    "box+l2": (
        SQUARED,
        jr.Box(-0.5, 0.8) + 0.2 * jr.L2(),
        sample,
        lambda w, X, y: squares((X, y))(w) + 0.2 * cp.norm(w, 2) + cp.transforms.indicator([w >= -0.5, w <= 0.8]),
    ),
    "three": (
        SQUARED,
        0.05 * jr.L2(axis=0) + 0.05 * jr.L2(axis=1) + 0.1 * jr.Nuclear(),
        outputs,
        lambda w, X, y: (
            squares((X, y))(w)
            + 0.05 * cp.sum(cp.norm(w, 2, axis=0))
            + 0.05 * cp.sum(cp.norm(w, 2, axis=1))
            + 0.1 * cp.normNuc(w)
        ),
    ),
    "fused": (
        SQUARED,
        0.05 * jr.L1() + 0.1 * jr.L1().of(D),
        sample,
        lambda w, X, y: squares((X, y))(w) + 0.05 * cp.norm1(w) + 0.1 * cp.norm1(D @ w),
    ),
    "generalised": (
        SQUARED,
        0.1 * jr.L1().of(jnp.diff),
        sample,
        lambda w, X, y: squares((X, y))(w) + 0.1 * cp.norm1(D @ w),
    ),
    "graph": (
        SQUARED,
        0.1 * jr.L2(axis=1).of(GRAPH),
        outputs,
        lambda w, X, y: squares((X, y))(w) + 0.1 * cp.sum(cp.norm(GRAPH @ w, 2, axis=1)),
    ),
    "logistic": (
        LOGISTIC,
        0.02 * jr.L1() + 0.05 * jr.L1().of(D),
        lambda dtype="float64": (sample(dtype)[0], (sample(dtype)[1] > 0).astype(dtype)),
        lambda w, X, y: (
            (cp.sum(cp.logistic(X @ w)) - y @ (X @ w)) / len(y) + 0.02 * cp.norm1(w) + 0.05 * cp.norm1(D @ w)
        ),
    ),
    "absolute": (
        jr.risk(jr.linear, jr.Absolute()),
        0.02 * jr.L1(),
        sample,
        lambda w, X, y: cp.norm1(X @ w - y) / len(y) + 0.02 * cp.norm1(w),
    ),
    "machine": (
        jr.risk(jr.linear, jr.Hinge()),
        0.05 * jr.Ridge(),
        lambda dtype="float64": (sample(dtype)[0], (sample(dtype)[1] > 0).astype(dtype)),
        lambda w, X, y: cp.sum(cp.pos(1 - cp.multiply(2 * y - 1, X @ w))) / len(y) + 0.025 * cp.sum_squares(w),
    ),
}
# What was measured, in float32 to 1e-4 and in float64 to 1e-8.
TAKEN = {
    "l1+nuclear": {
        "AndersonSplitting": (10, 20),
        "DavisYin": (20, 30),
        "DouglasRachford": (40, 90),
        "ADMM": (40, 60),
        "PDHG": (40, 100),
    },
    "rows+columns": {
        "AndersonSplitting": (10, 20),
        "DavisYin": (20, 30),
        "DouglasRachford": (40, 90),
        "ADMM": (30, 60),
        "PDHG": (40, 100),
    },
    "box+l2": {
        "AndersonSplitting": (15, 35),
        "DavisYin": (10, 30),
        "DouglasRachford": (30, 70),
        "ADMM": (30, 60),
        "PDHG": (20, 60),
    },
    "three": {"AndersonSplitting": (15, 60), "DouglasRachford": (70, 390), "ADMM": (40, 300), "PDHG": (60, 380)},
    "fused": {"ADMM": (30, 60), "PDHG": (80, 180)},
    "generalised": {"ADMM": (40, 60), "PDHG": (80, 140)},
    "graph": {"ADMM": (20, 40), "PDHG": (60, 100)},
    "logistic": {"ADMM": (80, 140), "PDHG": (100, 180)},
    "absolute": {"ADMM": (450, 1030), "PDHG": (480, 740)},
    "machine": {"ADMM": (90, 200), "PDHG": (80, 160)},
}
BLOCKS = {"l1+nuclear": 2, "rows+columns": 2, "box+l2": 2, "three": 3}


def start(case: str, dtype="float64"):
    X, y = CASES[case][2](dtype)
    return np.zeros(X.shape[1:] + y.shape[1:], dtype), (X, y)


def budget(taken: int) -> float:
    """Half as many again, but a stride: certificates are taken every ten steps."""
    return max(1.5 * taken, taken + 10)


def able(case: str) -> list[str]:
    squared = CASES[case][0] is SQUARED
    splits = ["DavisYin"] if BLOCKS.get(case) == 2 else []
    own = ["DouglasRachford", "AndersonSplitting"] if squared and case in BLOCKS else []
    return [*splits, *own, "ADMM", "PDHG"]


@pytest.fixture(scope="module")
def optimum():
    """The optimal value and point of a case, by a conic solver."""
    found = {}

    def solve(case: str):
        if case not in found:
            init, (X, y) = start(case)
            w = cp.Variable(init.shape)
            problem = cp.Problem(cp.Minimize(CASES[case][3](w, X, y)))
            problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-9, tol_gap_rel=1e-9, tol_feas=1e-9)
            found[case] = float(problem.value), np.asarray(w.value)
        return found[case]

    return solve


def fit(case: str, solver, dtype="float64", **options):
    risk, penalty, _, _ = CASES[case]
    init, data = start(case, dtype)
    return jr.minimize(risk, penalty, init, data, solver=solver, **options)


@pytest.mark.parametrize(("case", "name"), [(c, n) for c in CASES for n in able(c)])
def test_every_splitting_solver_finds_the_optimum(case: str, name: str, dtype: np.dtype, optimum):
    """The certificate holds within a budget of steps, and the point is that of the conic solver."""
    tol = 1e-8 if dtype == np.float64 else 1e-4
    sol = fit(case, SOLVERS[name], dtype, tol=tol, max_steps=2000)
    value, point = optimum(case)
    assert sol.status == 0 and sol.gap <= tol and sol.params.dtype == dtype
    assert sol.steps <= budget(TAKEN[case][name][dtype == np.float64])
    assert abs(float(sol.value) - value) <= 5 * tol
    if dtype == np.float64:
        np.testing.assert_allclose(sol.params, point, atol=1e-3)


@pytest.mark.parametrize("loss", [jr.Squared(), jr.Logistic(), jr.Poisson()], ids=repr)
def test_sums_are_solved_in_whatever_units_the_features_are(loss: jr.Loss, x64):
    """A chain of coefficients that are not negative, in features of units 1/100 to 100, beside a conic solver."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 6)) * np.array([1, 100, 0.01, 1, 1, 10]), (rng.random(40) < 0.5).astype(float)
    sol = jr.minimize(jr.risk(jr.linear, loss), jr.Chain() + 0.02 * jr.L1(positive=True), np.zeros(6), (X, y), tol=1e-9)
    w = cp.Variable(6, nonneg=True)
    fitted = {
        "Squared": cp.sum_squares(X @ w - y) / 2,
        "Logistic": cp.sum(cp.logistic(X @ w)) - y @ (X @ w),
        "Poisson": cp.sum(cp.exp(X @ w)) - y @ (X @ w),
    }[type(loss).__name__]
    problem = cp.Problem(cp.Minimize(fitted / 40 + cp.sum_squares(D @ w) / 2 + 0.02 * cp.sum(w)))
    problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-9, tol_gap_rel=1e-9, tol_feas=1e-9)
    assert sol.status == 0 and sol.steps <= 300 and (np.asarray(sol.params) >= 0).all()
    np.testing.assert_allclose(sol.value, problem.value, rtol=1e-6)


CHOICES = {
    "l1+nuclear": jr.AndersonSplitting,
    "three": jr.AndersonSplitting,
    "fused": jr.ADMM,
    "logistic": jr.ADMM,
    "absolute": jr.ADMM,
}


@pytest.mark.parametrize("case", CHOICES)
def test_auto_chooses_a_solver_that_can(case: str, x64):
    """By the problem's form; "auto" is what None is, and the fit is that of the solver named."""
    risk, penalty, _, _ = CASES[case]
    init, (X, y) = start(case)
    f = bind(risk, (jnp.asarray(X), jnp.asarray(y)), jnp.ones(30))
    for solver in ("auto", None):
        assert type(choose(f, penalty, init, solver)) is CHOICES[case]
    assert type(choose(f, penalty, init, jr.PDHG())) is jr.PDHG
    several = bind(jr.risk(jr.linear, jr.Huber()), tuple(map(jnp.asarray, outputs())), jnp.ones(30))
    assert type(choose(several, jr.L1() + jr.Nuclear(), np.zeros((4, 3)))) is jr.DavisYin
    labels = bind(LOGISTIC, (jnp.asarray(sample()[0]), jnp.ones(30)), jnp.ones(30))
    assert type(choose(labels, jr.L1() + jr.L2Ball(1.0) + jr.TV1D(), np.zeros(6))) is jr.ProximalNewton
    wide = np.zeros(2000)
    g = bind(risk, (jnp.zeros((30, 2000)), jnp.zeros(30)), jnp.ones(30))
    assert type(choose(g, jr.L1() + jr.L1().of(jnp.diff), wide)) is jr.PDHG
    np.testing.assert_array_equal(
        fit(case, "auto", max_steps=20, on_fail="ignore").params,
        fit(case, CHOICES[case](), max_steps=20, on_fail="ignore").params,
    )


TRUTHS = [(c, n) for c in ("l1+nuclear", "fused", "absolute") for n in able(c)]


@pytest.mark.parametrize(("case", "name"), TRUTHS)
def test_the_gap_is_never_below_the_truth(case: str, name: str, x64, optimum):
    """All along the way the gap bounds the distance to the optimum of the conic solver."""
    risk, penalty, _, _ = CASES[case]
    init, data = jax.tree.map(jnp.asarray, start(case))
    solver, value = SOLVERS[name], optimum(case)[0]
    f, penalty = bind(risk, data, jnp.ones(30)), jax.tree.map(jnp.asarray, penalty)
    ref = reference(f, penalty, init)

    @jax.jit
    def walk(state):
        def step(s, _):
            s = jax.lax.fori_loop(0, 5, lambda _, s: solver.update(f, penalty, s), s)
            return s, certify(f, penalty, s.params, ref, s.step, s.duals)

        return jax.lax.scan(step, state, None, length=200)[1]

    values, gaps = map(np.asarray, walk(solver.init(f, penalty, init)))
    true = (values - value) / float(ref.objective)
    assert (gaps >= true - 1e-8).all()
    assert true[0] > 1e-6 and gaps[-1] < 1e-5


@pytest.mark.parametrize("name", [n for n in STEPS if n != "FISTA"])
def test_where_one_prox_serves_all_agree_with_fista(name: str, dtype: np.dtype):
    X, y = sample(dtype)
    init, penalty = jr.linear_params((X, y)), 0.1 * jr.L1() + 0.05 * jr.Ridge()
    tol = 1e-10 if dtype == np.float64 else 1e-4
    run = partial(jr.minimize, SQUARED, penalty, init, (X, y + 2), tol=tol)
    peer, sol = run(solver=jr.FISTA()), run(solver=SOLVERS[name])
    assert sol.status == 0 and sol.steps <= budget(STEPS[name])
    for a, b in zip(jax.tree.leaves(sol.params), jax.tree.leaves(peer.params), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4 if dtype == np.float64 else 2e-2)
    assert (np.asarray(sol.params["coef"]) == 0).sum() == (np.asarray(peer.params["coef"]) == 0).sum() > 0


@pytest.mark.parametrize(("name", "taken"), [("ADMM", (30, 70)), ("PDHG", (80, 200))])
def test_a_linear_map_finds_what_the_exact_prox_of_a_fused_lasso_does(name: str, taken: tuple, dtype: np.dtype):
    X, y = sample(dtype)
    tol = 1e-10 if dtype == np.float64 else 1e-4
    run = partial(jr.minimize, SQUARED, init=np.zeros(6, dtype), data=(X, y), tol=tol)
    exact = run(penalty=0.1 * jr.TV1D() + 0.05 * jr.L1(), solver=jr.FISTA())
    split = run(penalty=0.05 * jr.L1() + 0.1 * jr.L1().of(D), solver=SOLVERS[name])
    assert exact.status == split.status == 0
    assert exact.steps <= budget(30) and split.steps <= budget(taken[dtype == np.float64])
    np.testing.assert_allclose(split.value, exact.value, rtol=2 * tol)
    np.testing.assert_allclose(split.params, exact.params, atol=1e-6 if dtype == np.float64 else 1e-3)


def test_stochastic_steps_reach_the_optimum_and_repeat_with_the_key(dtype: np.dtype):
    X, y = sample(dtype)
    w, tol = np.arange(30, dtype=dtype) % 3, 1e-6 if dtype == np.float64 else 1e-4
    run = partial(jr.minimize, SQUARED, 0.1 * jr.L1(), np.zeros(6, dtype), (X, y), w, tol=tol, max_steps=400)
    one, same, other = (run(solver=jr.ProxSVRG(jax.random.key(k), batch=8)) for k in (0, 0, 1))
    exact = run(solver=jr.FISTA())
    assert one.status == 0 and other.status == 0
    np.testing.assert_array_equal(one.params, same.params)
    assert not np.array_equal(one.params, other.params)
    np.testing.assert_allclose(one.params, exact.params, atol=np.sqrt(tol) * 3)


def test_stochastic_steps_over_tasks_never_see_rows_of_weight_zero(x64):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3, 12, 4))
    y, w = X[..., 0] + 0.1 * rng.normal(size=(3, 12)), np.ones((3, 12))
    w[:, 8:] = 0
    joint = jr.multitask(SQUARED)
    run = partial(jr.minimize, joint, 0.1 * jr.L2(axis=0), np.zeros((3, 4)))
    solver = jr.ProxSVRG(jax.random.key(0), batch=4)
    sol = run((X, np.where(w > 0, y, 1e6)), w, solver=solver, tol=1e-7)
    np.testing.assert_allclose(sol.params, run((X, y), w, solver=jr.FISTA(), tol=1e-10).params, atol=1e-3)
    with pytest.raises(TypeError, match="needs a step"):
        jr.minimize(jr.risk(jr.linear, jr.Poisson()), 0.1 * jr.L1(), np.zeros(4), (X[0], np.ones(12)), solver=solver)


def test_admm_is_douglas_rachford_with_the_identity(x64):
    """Iterate for iterate, for two copies as for one."""
    data = tuple(map(jnp.asarray, outputs()))
    f = bind(SQUARED, data, jnp.ones(30))
    init = jnp.asarray(np.random.default_rng(0).normal(size=(4, 3)))
    for g in (jnp.asarray(0.2) * jr.L1(), jnp.asarray(0.1) * jr.L1() + jnp.asarray(0.2) * jr.Nuclear()):
        a, b = jr.ADMM(rho=jnp.asarray(0.5)), jr.DouglasRachford(step=jnp.asarray(2.0))
        s, t = a.init(f, g, init), b.init(f, g, init)
        one, other = jax.jit(partial(a.update, f, g)), jax.jit(partial(b.update, f, g))
        for _ in range(40):
            s, t = one(s), other(t)
            np.testing.assert_allclose(s.params, t.params, atol=1e-10)
            for u, v in zip(s.duals, t.duals, strict=True):
                np.testing.assert_allclose(u.value[0], v.value[0], atol=1e-10)


def test_quantile_regression_is_that_of_scikit_learn(x64):
    X, y = sample()
    for level in (0.2, 0.5, 0.9):
        peer = QuantileRegressor(quantile=level, alpha=0.02, solver="highs").fit(X, y)
        risk = jr.risk(jr.linear, jr.Quantile(level))
        for solver in (jr.ADMM(), jr.PDHG()):
            sol = jr.minimize(risk, 0.02 * jr.L1(), jr.linear_params((X, y)), (X, y), solver=solver, tol=1e-9)
            np.testing.assert_allclose(sol.params["coef"], peer.coef_, atol=1e-5)
            np.testing.assert_allclose(sol.params["intercept"], peer.intercept_, atol=1e-5)


BATCH = [("fused", "ADMM"), ("fused", "PDHG"), ("l1+nuclear", "DavisYin"), ("l1+nuclear", "DouglasRachford")]
BATCH += [
    ("l1+nuclear", "AndersonSplitting"),
    ("absolute", "ADMM"),
    ("absolute", "PDHG"),
    ("plain", "PANOC"),
    ("plain", "ISTA"),
]


def lanes(case: str, name: str, dtype: np.dtype):
    risk, penalty, _, _ = CASES.get(case, (SQUARED, 0.1 * jr.L1(), None, None))
    init, (X, y) = start(case if case in CASES else "fused", dtype)
    tol = 1e-9 if dtype == np.float64 else 1e-4

    def one(strength, y):
        return jr.minimize(risk, strength * penalty, init, (X, y), solver=SOLVERS[name], tol=tol, max_steps=4000)

    return jax.jit(one), y


@pytest.mark.parametrize(("case", "name"), BATCH)
def test_vmap_is_a_loop_and_a_bad_lane_harms_no_other(case: str, name: str, dtype: np.dtype):
    one, y = lanes(case, name, dtype)
    strengths = np.array([0.5, 1.0, 3.0], dtype)
    batch = np.stack([y, y, 2 * y])
    clean = jax.jit(jax.vmap(one))(strengths, batch)
    assert (clean.status == 0).all()
    for i in range(3):
        alone = one(strengths[i], batch[i])
        np.testing.assert_allclose(clean.params[i], alone.params, atol=1e-4 if dtype == np.float64 else 3e-2)
    batch[1].flat[4] = np.nan
    spoiled = jax.jit(jax.vmap(one))(strengths, batch)
    assert spoiled.status.tolist() == [0, jr.Status.NONFINITE, 0]
    for a, b in zip(jax.tree.leaves(clean), jax.tree.leaves(spoiled), strict=True):
        np.testing.assert_array_equal(np.asarray(a)[[0, 2]], np.asarray(b)[[0, 2]])


@pytest.mark.parametrize(("case", "name"), BATCH)
def test_statuses(case: str, name: str, x64):
    risk, penalty, _, _ = CASES.get(case, (SQUARED, 0.1 * jr.L1(), None, None))
    init, data = start(case if case in CASES else "fused")

    @jax.jit
    def run(strength, w):
        return jr.minimize(risk, strength * penalty, init, data, w, solver=SOLVERS[name], tol=1e-12, max_steps=1).status

    ones = np.ones(30)
    assert run(0.5, ones) == jr.Status.MAX_STEPS
    assert run(-1.0, ones) == jr.Status.INVALID_INPUT and run(np.nan, ones) == jr.Status.INVALID_INPUT
    assert run(0.5, 0 * ones) == jr.Status.EMPTY


@pytest.mark.parametrize("case", ["l1+nuclear", "box+l2", "fused", "logistic", "absolute", "machine"])
def test_implicit_derivatives_of_split_solutions(case: str, x64):
    """In the strength and the targets, forward and reverse, against finite differences of the whole fit."""
    risk, penalty, _, _ = CASES[case]
    init, (X, y) = start(case)
    rng = np.random.default_rng(2)
    moves = risk.loss.quadratic or case == "absolute"
    dy, u = rng.normal(size=y.shape) * moves, rng.normal(size=init.shape)

    @jax.jit
    def of(s, y):
        sol = jr.minimize(risk, s * penalty, init, (X, y), tol=1e-13, max_steps=20_000)
        return jnp.sum(u * sol.params), sol.value

    point, tangent, h = (jnp.asarray(1.03), jnp.asarray(y)), (jnp.asarray(1.0), jnp.asarray(dy)), 1e-5
    ahead, behind = (of(*(p + sign * h * t for p, t in zip(point, tangent, strict=True))) for sign in (1, -1))
    expected = [(a - b) / (2 * h) for a, b in zip(ahead, behind, strict=True)]
    made = jax.jvp(of, point, tangent)[1]
    np.testing.assert_allclose(made, expected, rtol=1e-4, atol=1e-6)
    pulled = jax.grad(lambda s, y: sum(of(s, y)), (0, 1))(*point)
    np.testing.assert_allclose(pulled[0] + jnp.sum(pulled[1] * dy), sum(expected), rtol=1e-4, atol=1e-6)


def test_the_value_knows_kinks_that_move(x64):
    """The derivative of the objective in a centre at which the solution rests, or a bound it touches."""
    X, y = sample()

    def value(move):
        penalty = (5.0 * jr.L1()).shift(move * jnp.arange(6.0)) + jr.Box(-9.0, 9.0)
        return jr.minimize(SQUARED, penalty, np.zeros(6), (X, y), tol=1e-13).value

    def bounded(top):
        return jr.minimize(SQUARED, 0.01 * jr.L1() + jr.Box(-9.0, top), np.zeros(6), (X, y), tol=1e-13).value

    for of, x in ((value, 0.1), (bounded, 0.5)):
        slope = (of(x + 1e-5) - of(x - 1e-5)) / 2e-5
        assert abs(slope) > 1e-2
        np.testing.assert_allclose(jax.grad(of)(x), slope, rtol=1e-5)


def test_too_many_unknowns_to_differentiate_are_refused(x64):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(2100, 2)), rng.normal(size=2100)

    def of(s):
        risk = jr.risk(jr.linear, jr.Quantile(0.5))
        return jr.minimize(risk, s * jr.L1(), np.zeros(2), (X, y), max_steps=1, solver=jr.PDHG()).value

    with pytest.raises(TypeError, match="at most 2048"):
        jax.grad(of)(0.1)


REFUSALS = [
    ("FISTA", "l1+nuclear", r"no prox as a whole. Use DavisYin\(\), ADMM\(\) or PDHG\(\)"),
    ("FISTA", "three", r"no prox as a whole. Use ADMM\(\) or PDHG\(\)"),
    ("PANOC", "fused", r"no prox as a whole. Use ADMM\(\) or PDHG\(\)"),
    ("ISTA", "absolute", r"no gradient. Use ADMM\(\) or PDHG\(\)"),
    ("DavisYin", "three", r"Use ADMM\(\) or PDHG\(\)"),
    ("DavisYin", "fused", r"Use ADMM\(\) or PDHG\(\)"),
    ("AndersonSplitting", "fused", r"Use ADMM\(\) or PDHG\(\)"),
    ("DouglasRachford", "fused", r"use ADMM\(\) or PDHG\(\)"),
    ("DouglasRachford", "logistic", "squared loss"),
]


@pytest.mark.parametrize(("name", "case", "message"), REFUSALS)
def test_a_solver_that_cannot_names_those_that_can(name: str, case: str, message: str):
    with pytest.raises(TypeError, match=message):
        fit(case, SOLVERS[name], "float32")


def test_without_a_curvature_bound_only_pdhg_is_named():
    X, y = sample("float32")
    with pytest.raises(TypeError, match=r"Use PDHG\(\), or"):
        risk = jr.risk(jr.linear, jr.Poisson())
        jr.minimize(risk, 0.1 * jr.L1().of(D), np.zeros(6, "float32"), (X, np.abs(y)), solver=jr.FISTA())


@pytest.mark.parametrize(("case", "named"), [("l1+nuclear", True), ("three", False), ("fused", False)])
def test_a_prox_of_a_sum_names_solvers_that_serve_it(case: str, named: bool):
    with pytest.raises(TypeError, match=r"ADMM\(\) or PDHG") as error:
        CASES[case][1].prox(start(case, "float32")[0])
    assert ("DavisYin()" in str(error.value)) == named


def test_a_map_that_is_not_linear_is_refused(x64):
    X, y = sample()
    with pytest.raises(Exception, match=r"(?i)transpose|linear"):
        jr.minimize(SQUARED, 0.1 * jr.L1().of(jnp.sin), np.zeros(6), (X, y))


def test_other_refusals():
    X, y = sample("float32")
    penalty, init = 0.1 * jr.L1().of(D), np.zeros(6, "float32")
    for risk in (jr.risk(jr.linear, jr.Poisson()), jr.risk(lambda w, X: X @ w, jr.Squared())):
        with pytest.raises(TypeError, match="use PDHG"):
            jr.minimize(risk, penalty, init, (X, np.abs(y)), solver=jr.ADMM())
    with pytest.raises(TypeError, match="rows interact"):
        times = np.stack([1 + np.abs(y), np.ones_like(y)], -1)
        jr.minimize(
            jr.risk(jr.linear, jr.Cox()),
            0.1 * jr.L1(),
            init,
            (X, times),
            solver=jr.ProxSVRG(jax.random.key(0), step=0.1),
        )
    with pytest.raises(TypeError, match="needs a prox and the linear model"):
        jr.minimize(jr.risk(lambda w, X: X @ w, jr.Hinge()), penalty, init, (X, (y > 0).astype(y.dtype)))
    with pytest.raises(ValueError, match="expected 'auto'"):
        jr.minimize(SQUARED, penalty, init, (X, y), solver="fista")


@pytest.mark.parametrize("solver", [jr.PDHG(), jr.PANOC(), jr.DavisYin()], ids=lambda s: type(s).__name__)
def test_no_curvature_bound_is_needed(solver, dtype: np.dtype):
    """Counts, and a model that is not seen to be linear: the step is found on the way."""
    X, y = sample(dtype)
    counts, tol = np.round(np.exp(0.5 * np.clip(y, -3, 3))).astype(dtype), 1e-8 if dtype == np.float64 else 1e-4
    first, second = 0.05 * jr.L1(), {"PDHG": 0.05 * jr.L1().of(D), "DavisYin": 0.05 * jr.L1().shift(1.0)}
    penalty = first if type(solver) is jr.PANOC else first + second[type(solver).__name__]
    hidden = jr.risk(lambda w, X: jr.linear(w, X), jr.Logistic())
    for risk, target in ((jr.risk(jr.linear, jr.Poisson()), counts), (hidden, (y > 0).astype(dtype))):
        sol = jr.minimize(risk, penalty, np.zeros(6, dtype), (X, target), solver=solver, tol=tol, max_steps=2000)
        assert sol.status == 0


def test_panoc_takes_few_steps_on_a_bad_problem(dtype: np.dtype):
    """Logistic regression with columns over three decades: FISTA needs thousands of gradients."""
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(60, 10)) * np.geomspace(0.03, 30, 10)).astype(dtype)
    y = (X[:, 3] + 0.1 * X[:, 9] + rng.normal(size=60) > 0).astype(dtype)
    tol = 1e-8 if dtype == np.float64 else 1e-4
    run = partial(jr.minimize, LOGISTIC, 1e-2 * jr.L1(), np.zeros(10, dtype), (X, y), tol=tol, on_fail="ignore")
    quick, slow = run(solver=jr.PANOC()), run(solver=jr.FISTA())
    assert quick.status == 0 and quick.steps <= 200 and 5 * quick.steps < slow.steps


def test_more_parameters_than_a_factor_holds_go_by_conjugate_gradients(x64):
    """The same optimum without writing the system down."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 1100))
    y = X[:, :3].sum(1) + 0.1 * rng.normal(size=20)
    penalty = 0.1 * jr.L1() + 0.05 * jr.L1().of(jnp.diff)
    run = partial(jr.minimize, SQUARED, penalty, np.zeros(1100), (X, y), tol=1e-6)
    large, peer = run(solver=jr.ADMM(stride=20), max_steps=3000), run(max_steps=20_000)
    assert large.status == 0 == peer.status
    np.testing.assert_allclose(large.value, peer.value, rtol=1e-5)


def test_paths_and_cross_validation_split_too(x64):
    X, y = sample()
    penalty, init = jr.L1() + 2.0 * jr.L1().of(D), jr.linear_params((X, y))
    grid = np.array([0.2, 0.05])
    fits = jr.path(SQUARED, penalty, (X, y), strengths=grid, init=init, solver="auto", tol=1e-9)
    alone = jr.minimize(SQUARED, 0.05 * penalty, init, (X, y), solver=jr.PDHG(), tol=1e-9)
    np.testing.assert_allclose(fits.params["coef"][1], alone.params["coef"], atol=1e-4)
    cv = jr.cross_validate(SQUARED, penalty, (X, y), folds=3, strengths=grid, init=init, solver="auto", tol=1e-9)
    held = jr.kfold(30, 3)[1]
    fold = jr.minimize(SQUARED, 0.2 * penalty, init, (X[~held], y[~held]), tol=1e-9)
    np.testing.assert_allclose(cv.fold_params["coef"][1, 0], fold.params["coef"], atol=1e-4)
