"""Active sets: every route finds the same fits, certified by a judge that knows nothing of them."""

import contextlib

import jax
import numpy as np
import pytest
from sklearn.linear_model import lars_path

import jaxreg as jr
from jaxreg.paths._glm_sets import GlmLanes
from jaxreg.paths._squared_sets import SquaredLanes
from jaxreg.solvers import active_set
from jaxreg.solvers._certificate import Reference, squared_gap

SQUARED = jr.risk(jr.linear, jr.Squared())
LOGISTIC = jr.risk(jr.linear, jr.Logistic())
ROUTES = ("moments", "rows", "working set")


def sample(n: int, p: int, rho: float = 0.5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features that share a factor of weight rho, three of them active."""
    rng = np.random.default_rng(seed)
    X = np.sqrt(1 - rho) * rng.normal(size=(n, p)) + np.sqrt(rho) * rng.normal(size=(n, 1))
    return X, X[:, 0] - 2 * X[:, 1] + 0.5 * X[:, 2] + rng.normal(size=n) + 3.0


def judged(data, strengths, coef, bias, weights=None, features=1.0, ridge=0.0):
    """The largest relative gap of ½ Σ r (y - b - Xw)² + s Σ (a |w| + ½ c w²), in NumPy float64."""
    X, y = (np.asarray(a, float) for a in data)
    rows = np.full(len(y), 1 / len(y)) if weights is None else weights / weights.sum()
    level = rows @ y if np.any(bias) else 0.0
    worst = 0.0
    for s, w, b in zip(np.asarray(strengths, float), np.asarray(coef, float), np.asarray(bias, float), strict=True):
        r = X @ w + b - y
        grad = (rows * r) @ X
        if np.any(bias):
            assert abs(rows @ r) <= 1e-9 * np.abs(y).max()
        over = np.maximum(np.abs(grad) - s * features, 0)
        if ridge:
            k, conjugate = 1.0, np.sum(over**2) / (2 * s * ridge)
        else:
            k, conjugate = min(1.0, 1 / max(np.max(np.abs(grad) / (s * features)), 1e-300)), 0.0
        primal = 0.5 * rows @ r**2 + s * np.sum(features * np.abs(w)) + 0.5 * s * ridge * w @ w
        dual = -0.5 * k * k * rows @ r**2 - k * (rows * r) @ (y - level) - conjugate
        worst = max(worst, (primal - dual) / (0.5 * rows @ (y - level) ** 2))
    return worst


def split(fits, intercept: bool = True):
    return (fits.params["coef"], fits.params["intercept"]) if intercept else (fits.params, np.zeros(len(fits.gap)))


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("shape", [(60, 20), (20, 60)], ids=["tall", "wide"])
@pytest.mark.parametrize("intercept", [True, False])
def test_every_fit_is_optimal(route: str, shape: tuple, intercept: bool, x64):
    data = sample(*shape)
    init = jr.linear_params(data, intercept=intercept)
    fits = jr.path(SQUARED, jr.L1(), data, num=30, ratio=1e-4, init=init, route=route, tol=1e-10)
    assert fits.route == route and (fits.status == 0).all()
    assert judged(data, fits.strengths, *split(fits, intercept)) <= 1e-9
    slow = jr.path(SQUARED, jr.L1(), data, strengths=fits.strengths[::6], init=init, solver=jr.Newton(), tol=1e-9)
    for a, b in zip(jax.tree.leaves(fits.params), jax.tree.leaves(slow.params), strict=True):
        np.testing.assert_allclose(a[::6], b, atol=1e-3)
    np.testing.assert_allclose(fits.value[::6], slow.value, rtol=1e-6)


@pytest.mark.parametrize("shape", [(60, 20), (20, 60), (40, 300)], ids=["tall", "wide", "very wide"])
def test_routes_agree(shape: tuple, x64):
    data = sample(*shape)
    init = jr.linear_params(data)
    kwargs = {"num": 25, "ratio": 1e-2, "init": init, "tol": 1e-13}
    made = [jr.path(SQUARED, jr.L1(), data, route=r, **kwargs) for r in (*ROUTES, None)]
    if shape[1] > 256:
        assert made[-1].route == "working set" and made[1].route == "rows"
    for fits in made[1:]:
        np.testing.assert_allclose(fits.params["coef"], made[0].params["coef"], atol=1e-8)
        np.testing.assert_allclose(fits.params["intercept"], made[0].params["intercept"], atol=1e-8)


def test_nearly_square_data_take_moments_and_systems_of_many_widths(x64):
    X, y = sample(640, 1100)
    y = y + X[:, 3:] @ np.random.default_rng(1).normal(size=1097)
    init = jr.linear_params((X, y))
    fits = jr.path(SQUARED, jr.L1(), (X, y), num=4, ratio=1e-3, init=init)
    assert fits.route == "moments" and (fits.status == 0).all()
    assert (fits.params["coef"][-1] != 0).sum() > 512
    assert judged((X, y), fits.strengths, *split(fits)) <= 1e-6


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("shape", [(60, 20), (20, 60), (40, 300)], ids=["tall", "wide", "very wide"])
def test_exact_at_the_knots_of_least_angles(shape: tuple, route: str, x64):
    """Where features enter and leave the coefficients are scikit-learn's, by another algorithm."""
    X, y = sample(*shape)
    X, y = X - X.mean(0), y - y.mean()
    knots, _, coef = lars_path(X, y, method="lasso", alpha_min=1e-2)
    fits = jr.path(SQUARED, jr.L1(), (X, y), strengths=knots, tol=1e-13, route=route)
    assert fits.route == route
    np.testing.assert_allclose(fits.params, coef.T, atol=1e-9)


PENALTIES = {
    "elastic net": (lambda p: jr.L1() + 0.5 * jr.Ridge(), {"ridge": 0.5}),
    "per feature": (lambda p: np.linspace(0.5, 2.0, p) * jr.L1(), {"features": "linspace"}),
    "some excluded": (lambda p: np.where(np.arange(p) % 4 == 1, np.inf, 1.0) * jr.L1(), None),
    "some free": (lambda p: np.where(np.arange(p) < 2, 0.0, 1.0) * jr.L1(), None),
    "non-negative": (lambda p: jr.L1() + jr.NonNegative(), None),
}


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("route", ["moments", "working set"])
def test_elementwise_penalties(name: str, route: str, x64):
    make, known = PENALTIES[name]
    data = sample(30, 40)
    penalty = make(40)
    init = jr.linear_params(data)
    grid = np.geomspace(1.5, 0.02, 20)
    fits = jr.path(SQUARED, penalty, data, strengths=grid, init=init, route=route, tol=1e-9)
    assert fits.route == route and (fits.status == 0).all()
    slow = jr.path(SQUARED, penalty, data, strengths=grid, init=init, solver=jr.Newton(), tol=1e-9)
    np.testing.assert_allclose(fits.value, slow.value, rtol=1e-7)
    coef = np.asarray(fits.params["coef"])
    np.testing.assert_allclose(coef, slow.params["coef"], atol=1e-4)
    if known is not None:
        shown = {k: np.linspace(0.5, 2.0, 40) if v == "linspace" else v for k, v in known.items()}
        assert judged(data, fits.strengths, *split(fits), **shown) <= 1e-8
    if name == "non-negative":
        assert (coef >= 0).all()
    if name == "some excluded":
        assert not coef[:, 1::4].any()
    if name == "some free":
        assert coef[:, :2].all()


HARD = {
    "duplicates": lambda X: np.concatenate([X, X], 1),
    "sums": lambda X: np.concatenate([X, X[:, ::2] + X[:, 1::2]], 1),
    "constant": lambda X: np.concatenate([X, np.full((len(X), 3), 7e5)], 1),
    "zero": lambda X: np.concatenate([X, np.zeros((len(X), 3))], 1),
    "nearly one": lambda X: X[:, :1] + 1e-4 * X,
    "mean": lambda X: X + 1e4,
}


@pytest.mark.parametrize("route", ["moments", "rows", "working set"])
@pytest.mark.parametrize("name", HARD)
@pytest.mark.parametrize("shape", [(40, 12), (15, 30)], ids=["tall", "wide"])
def test_degenerate_features(name: str, shape: tuple, route: str, x64):
    X, y = sample(*shape)
    data = (HARD[name](X), y)
    init = jr.linear_params(data)
    fits = jr.path(SQUARED, jr.L1(), data, num=25, ratio=1e-4, init=init, route=route)
    assert (fits.status == 0).all()
    assert judged(data, fits.strengths, *split(fits)) <= 2e-6
    if name in ("constant", "zero"):
        assert not np.asarray(fits.params["coef"])[:, -3:].any()


@pytest.mark.parametrize("route", ["moments", "working set"])
def test_scales_far_apart(route: str, x64):
    """Units of features change coefficients and nothing else where strengths change with them."""
    X, y = sample(40, 12)
    scale = 10.0 ** np.linspace(-6, 6, 12)
    kwargs = {"num": 15, "ratio": 1e-3, "route": route, "tol": 1e-10}
    plain = jr.path(SQUARED, jr.L1(), (X, y), **kwargs)
    other = jr.path(SQUARED, scale * jr.L1(), (X * scale[None], y), **kwargs)
    assert (other.status == 0).all()
    np.testing.assert_allclose(np.asarray(other.params) * scale, plain.params, atol=1e-6)


@pytest.mark.parametrize("route", ROUTES)
def test_weights_with_zeros_are_rows_left_out_or_repeated(route: str, x64):
    X, y = sample(30, 40)
    w = np.random.default_rng(1).integers(0, 3, 30).astype(float)
    rows = np.repeat(np.arange(30), w.astype(int))
    broken = X.copy()
    broken[w == 0] = np.nan
    init = jr.linear_params((X, y))
    kwargs = {"strengths": np.geomspace(1.0, 0.02, 12), "init": init, "tol": 1e-12, "route": route}
    some = jr.path(SQUARED, jr.L1(), (broken, y), weights=w, **kwargs)
    same = jr.path(SQUARED, jr.L1(), (X[rows], y[rows]), **kwargs)
    np.testing.assert_allclose(some.params["coef"], same.params["coef"], atol=1e-8)
    assert judged((X, y), some.strengths, *split(some), weights=w) <= 1e-10


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("overlap", [False, True])
def test_folds_by_weights_are_folds_by_slicing(route: str, overlap: bool, x64):
    X, y = sample(24, 40)
    masks = jr.kfold(24, 3)
    if overlap:
        masks = np.concatenate([masks, masks[:1] | masks[1:2]])
    grid = np.geomspace(1.0, 0.05, 12)
    init = jr.linear_params((X, y))
    kwargs = {"strengths": grid, "init": init, "tol": 1e-13, "route": route}
    cv = jr.cross_validate(SQUARED, jr.L1(), (X, y), folds=masks, **kwargs)
    assert cv.path.route == route
    for k, held in enumerate(masks):
        alone = jr.path(SQUARED, jr.L1(), (X[~held], y[~held]), **kwargs)
        np.testing.assert_allclose(cv.fold_params["coef"][k], alone.params["coef"], atol=1e-10)
        scores = [float(SQUARED(alone[i], (X[held], y[held]))) for i in range(12)]
        np.testing.assert_allclose(cv.scores[k], scores, atol=1e-10)


@pytest.mark.parametrize("route", ROUTES)
def test_a_fold_may_keep_one_row(route: str, x64):
    """Nothing but an intercept can be learnt of it, or without one what slicing gives."""
    X, y = sample(24, 40)
    masks = ~np.eye(24, dtype=bool)[:3]
    kwargs = {"strengths": np.geomspace(1.0, 0.05, 12), "tol": 1e-13, "route": route}
    cv = jr.cross_validate(SQUARED, jr.L1(), (X, y), folds=masks, init=jr.linear_params((X, y)), **kwargs)
    assert not cv.status.any() and not np.asarray(cv.fold_params["coef"]).any()
    np.testing.assert_allclose(cv.fold_params["intercept"], np.repeat(y[:3, None], 12, 1), atol=1e-10)
    cv = jr.cross_validate(SQUARED, jr.L1(), (X, y), folds=masks, **kwargs)
    assert not cv.status.any()
    for k in range(3):
        alone = jr.path(SQUARED, jr.L1(), (X[k : k + 1], y[k : k + 1]), **kwargs)
        np.testing.assert_allclose(cv.fold_params[k], alone.params, atol=1e-10)


@pytest.mark.parametrize("route", ROUTES)
def test_single_precision_reaches_its_floor(route: str):
    with jax.enable_x64(False):
        data = tuple(a.astype("float32") for a in sample(40, 60, rho=0.2))
        fits = jr.path(SQUARED, jr.L1(), data, num=20, ratio=1e-2, init=jr.linear_params(data), route=route)
    floor = 256 * np.finfo("float32").eps
    assert fits.params["coef"].dtype == np.float32 and (fits.status == 0).all() and (fits.gap <= floor).all()


@pytest.mark.parametrize("route", ROUTES)
def test_one_weak_strength_and_zero(route: str, x64):
    """No path leads up to a single weak strength but the one made for it."""
    data = sample(50, 30, rho=0.9)
    init = jr.linear_params(data)
    fits = jr.path(SQUARED, jr.L1(), data, strengths=[1e-3], init=init, route=route)
    assert fits.status[0] == 0 and judged(data, fits.strengths, *split(fits)) <= 1e-6
    warned = pytest.warns(UserWarning, match="strength 0 excludes no feature; 'rows' is taken")
    with warned if route == "working set" else contextlib.nullcontext():
        zero = jr.path(SQUARED, jr.L1(), data, strengths=[0.1, 0.0], init=init, route=route, tol=1e-9)
    assert zero.route == ("rows" if route == "working set" else route)
    design = np.column_stack([data[0], np.ones(50)])
    np.testing.assert_allclose(zero.params["coef"][1], np.linalg.lstsq(design, data[1])[0][:-1], atol=1e-6)


def test_what_active_sets_miss_is_solved_on_all_features(x64, monkeypatch: pytest.MonkeyPatch):
    """No Newton step at all leaves everything to the safeguard, and the certificate says the same."""
    monkeypatch.setattr(active_set, "_MOST", 0)
    data = sample(33, 9, seed=5)
    fits = jr.path(SQUARED, jr.L1(), data, num=7, init=jr.linear_params(data))
    assert (fits.status == 0).all() and judged(data, fits.strengths, *split(fits)) <= 1e-6


def test_outside_the_domain_nothing_is_certified(x64):
    """A coefficient that is negative by little has a small KKT residual, and is not allowed."""
    one = np.ones(1)
    for w, gap in ((-1e-12, np.inf), (0.0, 0.0)):
        assert squared_gap(jr.L1(positive=True), w * one, -one, 0.0 * one[0], Reference(one[0], one[0])) == gap


@pytest.mark.parametrize(
    ("fit", "loss", "other"),
    [(jr.path, "squared", "rows"), (jr.cross_validate, "squared", "rows"), (jr.path, "logistic", "generic")],
)
def test_a_forced_route_that_is_left_is_told(fit, loss: str, other: str, x64, monkeypatch: pytest.MonkeyPatch):
    X, y = sample(20, 12)
    data, risk = ((X, y), SQUARED) if loss == "squared" else ((X, (y > 3).astype(float)), LOGISTIC)
    monkeypatch.setattr(SquaredLanes if loss == "squared" else GlmLanes, "widths", (1,))
    with pytest.warns(UserWarning, match=f"route 'working set' cannot serve, for more features.*'{other}' is taken"):
        left = fit(risk, jr.L1(), data, strengths=[0.1, 0.01], route="working set")
    assert getattr(left, "path", left).route == other


def test_traced_strengths_leave_the_route(x64):
    data = sample(20, 12)

    def fits(s):
        made = jr.path(SQUARED, jr.L1(), data, strengths=s, route="working set")
        assert made.route == "rows"
        return made.params

    with pytest.warns(UserWarning, match="strengths or tol are traced"):
        jax.vmap(fits)(np.array([[0.5, 0.2]]))


def test_a_route_that_cannot_serve_is_named():
    data = tuple(a.astype("float32") for a in sample(20, 5))
    for wrong, solver in (("nonsense", None), ("working set", jr.FISTA())):
        with pytest.raises(ValueError, match="route is"):
            jr.path(SQUARED, jr.L1(), data, num=3, route=wrong, solver=solver)


@pytest.mark.parametrize("name", ["riboflavin", "leukemia"])
def test_published_data(name: str, x64, shared_data):
    arrays = shared_data(name)
    X, y = arrays["X"].astype(float), arrays["y"].astype(float)
    X = X[:, X.std(0) > 0]
    data = ((X - X.mean(0)) / X.std(0), y)
    fits = jr.path(SQUARED, jr.L1(), data, ratio=1e-3, init=jr.linear_params(data))
    assert fits.route == "working set" and (fits.status == 0).all()
    assert judged(data, fits.strengths, *split(fits)) <= 1e-6
