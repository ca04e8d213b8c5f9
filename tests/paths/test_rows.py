"""Several outputs with norms of rows: optimal by NumPy, equal to scikit-learn's fits, folds as weights."""

import warnings

import cvxpy as cp
import jax
import numpy as np
import pytest
from sklearn.linear_model import MultiTaskElasticNet, MultiTaskLasso

import jaxreg as jr

SQUARED = jr.risk(jr.linear, jr.Squared())
ROWS = jr.L2(axis=1)
TALL, WIDE = (60, 20, 3), (20, 60, 3)
SHAPES = pytest.mark.parametrize("shape", [TALL, WIDE], ids=["tall", "wide"])
ROUTE = {TALL: "moments", WIDE: "working set"}


def sample(n: int, p: int, outputs: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features that share a factor, three of them active in all outputs."""
    rng = np.random.default_rng(seed)
    X = np.sqrt(0.5) * (rng.normal(size=(n, p)) + rng.normal(size=(n, 1)))
    return X, X[:, :3] @ rng.normal(size=(3, outputs)) + rng.normal(size=(n, outputs)) + 3.0


def gaps(data, fits, weights=None, features=1.0, ridge=0.0):
    """Relative gaps of ½ Σ r ‖y - b - XW‖² + s Σ (a ‖w‖ + ½ c ‖w‖²), in NumPy float64."""
    X, Y = (np.asarray(a, float) for a in data)
    rows = np.full(len(Y), 1 / len(Y)) if weights is None else weights / weights.sum()
    intercept = isinstance(fits.params, dict)
    coef = np.asarray(fits.params["coef"] if intercept else fits.params, float)
    bias = np.asarray(fits.params["intercept"], float) if intercept else np.zeros((len(coef), Y.shape[1]))
    away = Y - rows @ Y if intercept else Y
    scale, found = 0.5 * rows @ (away**2).sum(1), []
    for s, W, b in zip(np.asarray(fits.strengths, float), coef, bias, strict=True):
        R = X @ W + b - Y
        if intercept:
            R = R - rows @ R
        norm, sizes = np.linalg.norm((rows[:, None] * R).T @ X, axis=0), np.linalg.norm(W, axis=1)
        primal = 0.5 * rows @ (R**2).sum(1) + s * np.sum(features * sizes) + 0.5 * s * ridge * np.sum(sizes**2)
        k, conjugate = min(1.0, 1 / max(np.max(norm / (s * features)), 1e-300)), 0.0
        if ridge:
            k, conjugate = 1.0, np.sum(np.maximum(norm - s * features, 0) ** 2) / (2 * s * ridge)
        dual = -0.5 * k * k * rows @ (R**2).sum(1) - k * np.sum(rows[:, None] * R * away) - conjugate
        found.append((primal - dual) / scale)
    return np.array(found)


@SHAPES
@pytest.mark.parametrize("intercept", [True, False])
def test_every_fit_is_optimal_and_scikit_learns(shape: tuple, intercept: bool, x64):
    data = sample(*shape)
    init = jr.linear_params(data, intercept=intercept)
    fits = jr.path(SQUARED, ROWS, data, num=30, ratio=1e-3, init=init, tol=1e-12)
    assert fits.route == ROUTE[shape] and (fits.status == 0).all()
    np.testing.assert_allclose(np.maximum(gaps(data, fits), 0), fits.gap, atol=1e-13)
    coef = np.asarray(fits.params["coef"] if intercept else fits.params)
    assert not coef[0].any() and coef[1].any()
    for at in (8, 16):
        model = MultiTaskLasso(alpha=float(fits.strengths[at]), fit_intercept=intercept, tol=1e-14, max_iter=100_000)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(*data)
        np.testing.assert_allclose(coef[at], model.coef_.T, atol=2e-6)
        assert ((coef[at] != 0).any(1) == (model.coef_ != 0).any(0)).all()
        if intercept:
            np.testing.assert_allclose(fits.params["intercept"][at], model.intercept_, atol=2e-6)


@SHAPES
def test_the_path_is_celers(shape: tuple, x64):
    homotopy = pytest.importorskip("celer.homotopy")
    X, Y = sample(*shape)
    fits = jr.path(SQUARED, ROWS, (X, Y), num=12, ratio=1e-1, tol=1e-13)
    alphas, theirs, _ = homotopy.mtl_path(X, Y, alphas=np.asarray(fits.strengths), tol=1e-13, max_iter=1000)
    np.testing.assert_allclose(alphas, fits.strengths)
    np.testing.assert_allclose(fits.params, np.moveaxis(theirs, -1, 0).swapaxes(1, 2), atol=1e-6)


@SHAPES
def test_the_objective_is_a_conic_solvers(shape: tuple, x64):
    X, Y = sample(*shape)
    k = np.linspace(0.5, 2.0, shape[1])
    penalty = k[:, None] * ROWS + 0.3 * jr.Ridge()
    fits = jr.path(SQUARED, penalty, (X, Y), strengths=[0.3, 0.05], init=jr.linear_params((X, Y)), tol=1e-10)
    assert fits.route == ROUTE[shape]
    W, b = cp.Variable((shape[1], shape[2])), cp.Variable((1, shape[2]))
    cost = 0.5 * cp.sum_squares(X @ W + np.ones((len(X), 1)) @ b - Y) / len(X)
    for s, value, coef in zip(fits.strengths, fits.value, fits.params["coef"], strict=True):
        norms = k @ cp.norm(W, 2, axis=1) + 0.15 * cp.sum_squares(W)
        problem = cp.Problem(cp.Minimize(cost + float(s) * norms))
        problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-11, tol_gap_rel=1e-11)
        assert float(value) == pytest.approx(problem.value, rel=1e-8)
        np.testing.assert_allclose(coef, W.value, atol=1e-4)


@SHAPES
def test_ridges_and_strengths_of_features(shape: tuple, x64):
    data = sample(*shape)
    init = jr.linear_params(data)
    grid = np.geomspace(1.0, 0.01, 10)
    net = jr.path(SQUARED, ROWS + 0.5 * jr.Ridge(), data, strengths=grid, init=init, tol=1e-11)
    assert net.route == ROUTE[shape] and gaps(data, net, ridge=0.5).max() <= 1e-10
    model = MultiTaskElasticNet(alpha=1.5 * grid[5], l1_ratio=1 / 1.5, tol=1e-14, max_iter=100_000).fit(*data)
    np.testing.assert_allclose(net.params["coef"][5], model.coef_.T, atol=1e-5)
    k = np.where(np.arange(shape[1]) % 4 == 1, np.inf, np.linspace(0.5, 2.0, shape[1]))
    some = jr.path(SQUARED, k[:, None] * ROWS, data, strengths=grid, init=init, tol=1e-11)
    assert some.route == ROUTE[shape] and (some.status == 0).all()
    assert gaps(data, some, features=np.minimum(k, 1e12)).max() < 1e-10
    assert not np.asarray(some.params["coef"])[:, 1::4].any()
    free = jr.path(SQUARED, np.where(k > 1, 1.0, 0.0)[:, None] * ROWS, data, strengths=grid[:2], init=init)
    assert free.route == ("moments" if shape == TALL else "rows")  # the solvers of any penalty


HARD = {  # of the same shape: nothing is compiled again
    "duplicates": lambda X: np.concatenate([X[:, :-8], X[:, :5], X[:, :3]], 1),
    "sums": lambda X: np.concatenate([X[:, :-6], X[:, :6] + X[:, 6:12]], 1),
    "constant": lambda X: np.concatenate([X[:, :-3], np.full((len(X), 3), 7e5)], 1),
    "zero": lambda X: np.concatenate([X[:, :-3], np.zeros((len(X), 3))], 1),
    "nearly one": lambda X: X[:, :1] + 1e-4 * X,
    "mean": lambda X: X + 1e4,
    "units": lambda X: X * np.geomspace(1e-3, 1e3, X.shape[1])[None],
}


@SHAPES
@pytest.mark.parametrize("name", HARD)
def test_degenerate_features(name: str, shape: tuple, x64):
    X, Y = sample(*shape)
    data = HARD[name](X), Y
    fits = jr.path(SQUARED, ROWS, data, num=20, ratio=1e-4, init=jr.linear_params(data))
    assert (fits.status == 0).all() and gaps(data, fits).max() <= 2e-6
    if name in ("constant", "zero"):
        assert not np.asarray(fits.params["coef"])[:, -3:].any()


@SHAPES
def test_units_change_coefficients_and_nothing_else(shape: tuple, x64):
    """Where strengths change with them."""
    X, Y = sample(*shape)
    scale = 10.0 ** np.linspace(-6, 6, shape[1])
    kwargs = {"num": 10, "ratio": 1e-3, "tol": 1e-11, "init": jr.linear_params((X, Y))}
    plain = jr.path(SQUARED, np.ones((shape[1], 1)) * ROWS, (X, Y), **kwargs)
    other = jr.path(SQUARED, scale[:, None] * ROWS, (X * scale, Y), **kwargs)
    assert other.route == ROUTE[shape] and (other.status == 0).all()
    np.testing.assert_allclose(np.asarray(other.params["coef"]) * scale[:, None], plain.params["coef"], atol=1e-8)


def test_strengths_far_apart(x64):
    for shape in (TALL, WIDE):
        data = sample(*shape)
        fits = jr.path(SQUARED, ROWS, data, strengths=[1.0, 1e-2, 1e-4], init=jr.linear_params(data), tol=1e-9)
        assert (fits.status == 0).all() and gaps(data, fits).max() <= 2e-9 and int(fits.steps.max()) < 80


@SHAPES
def test_one_output_is_the_lasso(shape: tuple, x64):
    X, Y = sample(*shape)
    one = jr.path(SQUARED, ROWS, (X, Y[:, :1]), num=12, init=jr.linear_params((X, Y[:, :1])), tol=1e-13)
    lasso = jr.path(SQUARED, jr.L1(), (X, Y[:, 0]), num=12, init=jr.linear_params((X, Y[:, 0])), tol=1e-13)
    np.testing.assert_allclose(one.strengths, lasso.strengths, rtol=1e-7)
    np.testing.assert_allclose(one.params["coef"][..., 0], lasso.params["coef"], atol=1e-6)
    np.testing.assert_allclose(one.value, lasso.value, rtol=1e-8)


@SHAPES
def test_folds_are_weights(shape: tuple, x64):
    """Folds by weights are folds by slicing; rows of weight 0 do not count, whatever they hold."""
    X, Y = sample(*shape)
    weights = np.where(np.arange(len(X)) < 4, 0.0, np.random.default_rng(1).uniform(0.5, 2.0, len(X)))
    grid = np.geomspace(0.8, 0.02, 12)
    init = jr.linear_params((X, Y))
    kwargs = {"strengths": grid, "init": init, "tol": 1e-13}
    penalty = ROWS + jr.Ridge()
    Y = np.where(weights[:, None] == 0, 1e3, Y)
    masks = np.arange(len(X))[None] % 4 == np.arange(4)[:, None]
    cv = jr.cross_validate(SQUARED, penalty, (X, Y), folds=masks, weights=weights, **kwargs)
    assert cv.path.route == ROUTE[shape] and (cv.status == 0).all() and cv.scores.shape == (4, 12)
    assert gaps((X, Y), cv.path, weights, ridge=1.0).max() <= 1e-12
    for fold, held in enumerate(masks):
        kept = ~held & (weights > 0)
        sliced = jr.path(SQUARED, penalty, (X[kept], Y[kept]), weights=weights[kept], **kwargs)
        for a, b in zip(jax.tree.leaves(cv.fold_params), jax.tree.leaves(sliced.params), strict=True):
            np.testing.assert_allclose(a[fold], b, atol=1e-10)
        errors = (
            Y[None]
            - np.einsum("np,lpt->lnt", X, sliced.params["coef"])
            - np.asarray(sliced.params["intercept"])[:, None]
        )
        score = 0.5 * np.sum((weights * held)[None] * np.sum(errors**2, 2), 1) / np.sum(weights * held)
        np.testing.assert_allclose(cv.scores[fold], score, rtol=1e-10)


def test_working_sets_take_in_what_they_missed(x64):
    """More features than a first working set holds, and most of them in use at the end."""
    data = sample(30, 400, 12)
    fits = jr.path(SQUARED, ROWS, data, num=15, init=jr.linear_params(data), tol=1e-8)
    assert fits.route == "working set" and (fits.status == 0).all() and gaps(data, fits).max() <= 1e-8
    assert (np.asarray(fits.params["coef"][-1]) != 0).any(1).sum() > 128 / 1.25


def test_float32():
    for shape in (TALL, WIDE):
        data = [a.astype("float32") for a in sample(*shape)]
        fits = jr.path(SQUARED, ROWS, data, num=20, init=jr.linear_params(data), tol=1e-4)
        assert fits.value.dtype == "float32" and (fits.status == 0).all() and gaps(data, fits).max() <= 2e-4


def test_the_other_solvers_find_the_same(x64):
    data = sample(*WIDE)
    kwargs = {"strengths": [0.5, 0.1], "init": jr.linear_params(data), "tol": 1e-10}
    fits, slow = (jr.path(SQUARED, ROWS, data, route=route, **kwargs) for route in (None, "generic"))
    assert (fits.route, slow.route) == ("working set", "generic")
    np.testing.assert_allclose(fits.value, slow.value, rtol=1e-9)
    columns = jr.path(SQUARED, jr.L2(axis=0), data, **kwargs)  # norms of columns are another problem
    assert columns.route == "rows" and not np.allclose(columns.value, fits.value)
