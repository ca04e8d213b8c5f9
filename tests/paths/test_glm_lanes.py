"""Newton steps of all folds together: the fits that every other way finds, by a certificate on all features."""

import jax
import numpy as np
import pytest

import jaxreg as jr

N, P = 48, 6
LOSSES = {
    "logistic": jr.Logistic(),
    "poisson": jr.Poisson(),
    "huber": jr.Huber(0.7),
    "squared hinge": jr.SquaredHinge(),
}
PENALTIES = {
    "lasso": jr.L1(),
    "not negative": jr.L1(positive=True),
    "one feature free": np.array([0.0, 1.0, 1.0, 2.0, 1.0, 1.0]) * jr.L1(),
}
LOGISTIC = jr.risk(jr.linear, jr.Logistic())
GRID = np.array([0.2, 0.1, 0.03])


def sample(loss: str = "logistic", rows: int = N) -> tuple[np.ndarray, np.ndarray]:
    """Correlated features, a target the loss is made for."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(rows, P)) + 0.5 * rng.normal(size=(rows, 1))
    score = X[:, 0] - X[:, 1] + 0.5 * X[:, 2] + rng.normal(size=rows)
    if loss == "poisson":
        return X, rng.poisson(np.exp(0.5 * score)).astype(float)
    return X, score if loss == "huber" else (score > 0).astype(float)


CELLS = [
    *((loss, "lasso", False) for loss in LOSSES),
    *((loss, penalty, True) for loss in ("logistic", "poisson") for penalty in PENALTIES),
]


@pytest.mark.parametrize(("loss", "penalty", "intercept"), CELLS)
def test_it_agrees_with_the_generic_route(loss: str, penalty: str, intercept: bool, x64):
    data, risk = sample(loss), jr.risk(jr.linear, LOSSES[loss])
    init = jr.linear_params(data, intercept=intercept)
    tol = 1e-6 if penalty == "one feature free" else 1e-10
    options = {"strengths": GRID, "init": init, "tol": tol}
    found = jr.path(risk, PENALTIES[penalty], data, **options)
    other = jr.path(risk, PENALTIES[penalty], data, route="generic", **options)
    assert (found.route, other.route) == ("newton", "generic") and not found.status.any()
    np.testing.assert_allclose(found.value, other.value, rtol=1e-6 if tol > 1e-8 else 1e-9)
    for mine, theirs in zip(jax.tree.leaves(found.params), jax.tree.leaves(other.params), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-4)


@pytest.mark.parametrize("loss", ["logistic", "poisson"])
@pytest.mark.parametrize("form", ["blocks of few rows", "blocks of many rows", "overlapping"])
def test_folds_by_weights_are_folds_by_slicing(loss: str, form: str, x64):
    X, y = sample(loss, rows=480 if form == "blocks of many rows" else N)
    w = 1.0 + np.arange(len(y)) % 3
    w[5] = 0.0
    masks = jr.kfold(len(y), 4, jax.random.key(0))
    if form == "overlapping":
        masks = masks | np.roll(masks, 1, 1)
    risk, penalty = jr.risk(jr.linear, LOSSES[loss]), jr.L1() + jr.Ridge()
    options = {"strengths": GRID, "init": jr.linear_params((X, y)), "tol": 1e-13, "on_fail": "raise"}
    cv = jr.cross_validate(risk, penalty, (X, y), folds=masks, weights=w, **options)
    assert cv.path.route == "newton" and cv.gap.max() <= 1e-13
    for k, mask in enumerate(masks):
        kept = ~mask & (w > 0)
        alone = jr.path(risk, penalty, (X[kept], y[kept]), weights=w[kept], route="generic", **options)
        np.testing.assert_allclose(cv.fold_params["coef"][k], alone.params["coef"], atol=1e-6)
        scores = [risk(alone[i], (X[mask], y[mask]), w[mask]) for i in range(len(GRID))]
        np.testing.assert_allclose(cv.scores[k], scores, rtol=1e-6)


@pytest.mark.parametrize("route", ["newton", "working set"])
def test_a_fold_may_keep_one_row(route: str, x64):
    """Nothing but an intercept can be learnt of it, or without one what slicing gives."""
    X, y = sample("poisson")
    rows = np.flatnonzero(y > 0)[:2]
    risk, penalty, masks = jr.risk(jr.linear, jr.Poisson()), jr.L1() + jr.Ridge(), ~np.eye(N, dtype=bool)[rows]
    options = {"strengths": GRID, "tol": 1e-13, "route": route}
    cv = jr.cross_validate(risk, penalty, (X, y), folds=masks, init=jr.linear_params((X, y)), **options)
    assert not cv.status.any() and not np.asarray(cv.fold_params["coef"]).any()
    np.testing.assert_allclose(cv.fold_params["intercept"], np.repeat(np.log(y[rows, None]), 3, 1), atol=1e-6)
    cv = jr.cross_validate(risk, penalty, (X, y), folds=masks, **options)
    assert not cv.status.any()
    for k, row in enumerate(rows):
        alone = jr.path(risk, penalty, (X[[row]], y[[row]]), **options)
        np.testing.assert_allclose(cv.fold_params[k], alone.params, atol=1e-6)


@pytest.mark.parametrize("route", ["newton", "working set"])
def test_a_fold_of_one_class_is_predicted_without_features(route: str, x64):
    """Its risk has no minimum, but an infimum of 0 to which the intercept comes within the tolerance."""
    X, y = sample()
    masks = np.stack([y == 0, np.arange(N) % 3 == 0])
    options = {"strengths": GRID, "init": jr.linear_params((X, y)), "tol": 1e-8, "route": route}
    cv = jr.cross_validate(LOGISTIC, jr.L1(), (X, y), folds=masks, **options)
    assert not cv.status.any() and not np.asarray(cv.fold_params["coef"][0]).any()
    assert np.logaddexp(0, -np.asarray(cv.fold_params["intercept"][0])).max() <= 1e-8 * np.log(2)
    kept = ~masks[1]
    alone = jr.path(LOGISTIC, jr.L1(), (X[kept], y[kept]), **options)
    np.testing.assert_allclose(cv.fold_params["coef"][1], alone.params["coef"], atol=1e-4)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_collinear_constant_and_badly_scaled_features(dtype: str, x64):
    X, y = sample()
    X = np.column_stack([X, X[:, 0], np.ones(N), np.zeros(N), 1e3 * X[:, 3], 1e-2 * X[:, 4]]).astype(dtype)
    data = X, y.astype(dtype)
    tol = 1e-4 if dtype == "float32" else 1e-8
    cv = jr.cross_validate(LOGISTIC, jr.L1(), data, folds=3, num=12, ratio=1e-3, init=jr.linear_params(data), tol=tol)
    assert cv.path.route == "newton" and cv.path.gap.dtype == dtype
    assert not cv.status.any() and not cv.path.status.any() and cv.gap.max() <= tol
    assert (np.asarray(cv.path.params["coef"])[:, 8] == 0).all(), "nothing can be learnt from zeros"


def test_separable_classes_end_with_a_status(x64):
    X = np.linspace(-1, 1, 20)[:, None]
    data = X, (X[:, 0] > 0).astype(float)
    fits = jr.path(LOGISTIC, jr.L1(), data, strengths=np.geomspace(0.1, 1e-4, 8), init=jr.linear_params(data))
    assert fits.route == "newton" and not fits.status.any() and np.isfinite(fits.params["coef"]).all()


def test_the_route_is_told_and_forced():
    data = tuple(a.astype("float32") for a in sample())
    with pytest.raises(ValueError, match=r"expected one of \['generic', 'newton', 'working set'\]"):
        jr.path(LOGISTIC, jr.L1(), data, num=3, route="moments")
    with pytest.raises(ValueError, match="route is 'newton'"):
        jr.path(jr.risk(jr.linear, jr.Squared()), jr.L1(), data, num=3, route="newton")
    traced = jax.jit(lambda s: jr.path(LOGISTIC, jr.L1(), data, strengths=s, tol=1e-3).params)(GRID)
    plain = jr.path(LOGISTIC, jr.L1(), data, strengths=GRID, tol=1e-3, route="newton").params
    np.testing.assert_allclose(traced, plain, atol=2e-2)
