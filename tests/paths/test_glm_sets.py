"""Working sets for generalised linear models and sparse features: optimal by a judge that knows nothing of them."""

import functools

import jax
import numpy as np
import pytest
import scipy.sparse
from jax.experimental import sparse
from sklearn.linear_model import LogisticRegression

import jaxreg as jr
from fenchel import CURVES, Shape, relative_gap
from jaxreg.paths._squared_sets import SquaredLanes

N, P = 40, 300
LOSSES = {
    "logistic": jr.Logistic(),
    "poisson": jr.Poisson(),
    "huber": jr.Huber(0.7),
    "squared hinge": jr.SquaredHinge(),
}
LOGISTIC = jr.risk(jr.linear, jr.Logistic())
SQUARED = jr.risk(jr.linear, jr.Squared())


def sample(loss: str = "logistic", seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Sparse features and targets the loss is made for."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(N, P)) * (rng.uniform(size=(N, P)) < 0.3)
    score = X[:, 0] - 2 * X[:, 1] + 0.5 * X[:, 2] + 0.5 * rng.normal(size=N)
    if loss == "poisson":
        return X, rng.poisson(np.exp(0.5 * score)).astype(float)
    return X, score if loss == "huber" else (score > 0).astype(float)


def worst_gap(loss, data, fits, weights=None) -> float:
    """The largest relative gap of a lasso path with intercept, by the judge in NumPy."""
    rows = np.ones(N) if weights is None else weights
    cells = zip(fits.strengths, fits.params["coef"], fits.params["intercept"], strict=True)
    return max(relative_gap(CURVES[loss], Shape(float(s) * np.ones(P)), data, rows, w, b) for s, w, b in cells)


def test_a_logistic_path_is_optimal_at_every_strength(x64):
    data = sample()
    path = jr.path(LOGISTIC, jr.L1(), data, num=30, init=jr.linear_params(data), tol=1e-9)
    assert path.route == "working set" and (path.status == 0).all()
    assert not path.params["coef"][0].any() and path.params["coef"][1].any(), "the first strength just excludes all"
    assert worst_gap("logistic", data, path) <= 2e-9
    s = float(path.strengths[12])
    peer = LogisticRegression(l1_ratio=1.0, C=1 / (N * s), solver="saga", tol=1e-10, max_iter=200_000)
    np.testing.assert_allclose(path.params["coef"][12], peer.fit(*data).coef_[0], atol=1e-4)


@pytest.mark.parametrize("loss", LOSSES)
def test_routes_agree(loss: str, x64):
    data, risk = sample(loss), jr.risk(jr.linear, LOSSES[loss])
    options = {"strengths": [0.2, 0.1, 0.05], "init": jr.linear_params(data), "tol": 1e-13}
    routes = ["working set", "newton", "generic"]
    made = [jr.path(risk, jr.L1() + jr.Ridge(), data, route=route, **options) for route in routes]
    assert [fits.route for fits in made] == routes and not any(fits.status.any() for fits in made)
    for other in made[1:]:
        np.testing.assert_allclose(made[0].value, other.value, rtol=1e-12)
        for mine, theirs in zip(jax.tree.leaves(made[0].params), jax.tree.leaves(other.params), strict=True):
            np.testing.assert_allclose(mine, theirs, atol=1e-6)  # what a gap of 1e-13 says of them


@pytest.mark.parametrize("loss", LOSSES)
def test_degenerate_features_down_to_weak_strengths(loss: str, x64):
    X, y = sample(loss)
    X[:, 10:20], X[:, 20:25], X[:, 25:30] = X[:, :10], 0.0, -3.0
    weights = np.where(np.arange(N) % 7 == 0, 0.0, 1.0 + np.arange(N) % 3)
    init = jr.linear_params((X, y))
    risk = jr.risk(jr.linear, LOSSES[loss])
    flat = loss == "huber"  # it has no curvature where residuals are large: some cells stall, and say so
    options = {"num": 6 if flat else 20, "ratio": 1e-4, "weights": weights, "init": init, "route": "working set"}
    fits = jr.path(risk, jr.L1(), (X, y), on_fail="ignore", **options)
    assert fits.route == "working set" and (flat or not fits.status.any())
    assert worst_gap(loss, (X, y), fits, weights) <= (2e-5 if flat else 1.01e-6)
    assert ((np.asarray(fits.gap) <= 1e-6) == (np.asarray(fits.status) == 0)).all()
    assert not np.asarray(fits.params["coef"])[:, 20:30].any()


def test_folds_are_fits_of_the_rows_left(x64):
    data, penalty = sample(), jr.L1() + jr.Ridge()
    options = {"strengths": [0.1, 0.03], "init": jr.linear_params(data), "tol": 1e-13}
    cv = jr.cross_validate(LOGISTIC, penalty, data, folds=4, **options)
    assert cv.path.route == "working set" and not cv.status.any()
    for fold, mask in enumerate(jr.kfold(N, 4)):
        alone = jr.path(LOGISTIC, penalty, (data[0][~mask], data[1][~mask]), **options)
        for mine, theirs in zip(jax.tree.leaves(cv.fold_params), jax.tree.leaves(alone.params), strict=True):
            np.testing.assert_allclose(mine[fold], theirs, atol=1e-6)
        scores = [LOGISTIC(alone[i], (data[0][mask], data[1][mask])) for i in range(2)]
        np.testing.assert_allclose(cv.scores[fold], scores, rtol=1e-6)


def test_single_precision_says_how_far_it_got():
    data = tuple(a.astype("float32") for a in sample())
    path = jr.path(LOGISTIC, jr.L1(), data, num=20, init=jr.linear_params(data), tol=1e-4)
    assert path.route == "working set" and path.gap.dtype == "float32" and (path.status == 0).all()


def padded(X: np.ndarray) -> sparse.BCOO:
    """With entries out of bounds, which JAX leaves out."""
    return sparse.BCOO.fromdense(X, nse=int((X != 0).sum()) + 5)


FORMS = {
    "csr": scipy.sparse.csr_array,
    "csc": scipy.sparse.csc_matrix,
    "coo": scipy.sparse.coo_array,
    "BCOO": padded,
    "BCSR": sparse.BCSR.fromdense,
}


@functools.cache
def posed(loss: str) -> tuple:
    """The risk, dense data, and how its cross-validation is asked for."""
    X, y = sample()
    data = (X, y - 3 * X[:, 4]) if loss == "squared" else (X, y)
    weights = np.where(np.arange(N) % 7 == 0, 0.0, 1.0 + np.arange(N) % 3)
    options = {"folds": 3, "num": 8, "weights": weights, "init": jr.linear_params(data), "tol": 1e-10}
    return SQUARED if loss == "squared" else LOGISTIC, data, options


@functools.cache
def by_all_features(loss: str) -> jr.CrossValidation:
    risk, data, options = posed(loss)
    return jr.cross_validate(risk, jr.L1(), data, route="generic", **options)


@pytest.mark.parametrize("loss", ["squared", "logistic"])
@pytest.mark.parametrize("form", FORMS)
def test_sparse_features_give_the_dense_path(form: str, loss: str, x64):
    risk, (X, y), options = posed(loss)
    made, dense = jr.cross_validate(risk, jr.L1(), (FORMS[form](X), y), **options), by_all_features(loss)
    assert (made.path.route, dense.path.route) == ("working set", "generic")
    assert not made.status.any() and made.gap.max() <= 1e-10
    np.testing.assert_allclose(made.strengths, dense.strengths, rtol=1e-12)
    np.testing.assert_allclose(made.path.value, dense.path.value, rtol=1e-9)
    np.testing.assert_allclose(made.path.params["coef"], dense.path.params["coef"], atol=1e-4)
    np.testing.assert_allclose(made.scores, dense.scores, rtol=1e-5)
    tops = [jr.strength_max(risk, jr.L1(), (x, y), options["weights"]) for x in (FORMS[form](X), X)]
    np.testing.assert_allclose(*tops, rtol=1e-12)


def test_rows_without_weight_may_hold_anything_in_sparse_features(x64):
    X, y = sample()
    spoiled, weights = X.copy(), np.ones(N)
    spoiled[3], weights[3] = np.nan, 0.0
    fits = [
        jr.path(LOGISTIC, jr.L1(), (scipy.sparse.csr_array(x), y), strengths=[0.1], weights=weights, tol=1e-9)
        for x in (spoiled, X)
    ]
    np.testing.assert_array_equal(fits[0].params, fits[1].params)


REFUSED = {
    "several outputs": (lambda X, y: jr.path(SQUARED, jr.L1(), (X, np.stack([y, y], 1))), ValueError, "y has shape"),
    "a short target": (lambda X, y: jr.path(SQUARED, jr.L1(), (X, y[:-1])), ValueError, "to match sparse X"),
    "groups": (lambda X, y: jr.path(SQUARED, jr.L2(axis=0), (X, y)), TypeError, "sparse X is fitted by working sets"),
    "a solver": (lambda X, y: jr.path(SQUARED, jr.L1(), (X, y), solver=jr.FISTA()), TypeError, "Densify"),
    "a route": (lambda X, y: jr.path(SQUARED, jr.L1(), (X, y), route="moments"), ValueError, "'working set' or None"),
    "tasks": (lambda X, y: jr.path(jr.multitask(SQUARED, 0), jr.L1(), (X, y)), TypeError, "one task"),
    "a start": (lambda X, y: jr.path(SQUARED, jr.L1(), (X, y), init=np.zeros(3)), ValueError, "shape \\(3,\\)"),
    "not a number": (lambda X, y: jr.path(SQUARED, jr.L1(), (np.nan * X, y)), ValueError, "NaN or infinite"),
    "no first strength": (
        lambda X, y: jr.path(SQUARED, np.arange(P) * jr.L1(), (X, y)),  # the first feature is left free
        ValueError,
        "choose strengths yourself",
    ),
    "batches": (
        lambda X, y: jr.path(SQUARED, jr.L1(), (sparse.BCOO.fromdense(X.toarray(), n_batch=1), y)),
        TypeError,
        "X is BCOO of shape",
    ),
    "transformations": (
        lambda X, y: jax.jit(lambda X: jr.path(SQUARED, jr.L1(), (X, y)).params)(sparse.BCOO.fromdense(X.toarray())),
        TypeError,
        "outside of jit",
    ),
    "scoring": (
        lambda X, y: jr.cross_validate(SQUARED, jr.L1(), (X, y), scoring=lambda p, d, w: 0.0),
        TypeError,
        "scoring serves dense X",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.filterwarnings("ignore::jaxreg.PrecisionWarning")
def test_what_sparse_features_cannot_do_is_said(case: str):
    call, error, message = REFUSED[case]
    X, y = sample()
    with pytest.raises(error, match=message):
        call(scipy.sparse.csr_array(X), y)


def test_sparse_features_that_no_working_set_holds_are_an_error_that_says_so(x64, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(SquaredLanes, "widths", ())
    X = np.random.default_rng(0).normal(size=(200, 100))
    y = X @ np.random.default_rng(1).normal(size=100)
    with pytest.raises(ValueError, match="densify"):
        jr.path(SQUARED, jr.L1(), (scipy.sparse.csc_array(X), y), num=5, ratio=1e-3)


def test_constant_columns_of_sparse_features_stay_out(x64):
    X, _ = sample()
    X[:, 5] = 7.3
    y = X[:, 0] - X[:, 1] + 0.1 * np.random.default_rng(2).normal(size=N)
    init = jr.linear_params((X, y))
    fits = jr.path(SQUARED, jr.L1(), (scipy.sparse.csc_array(X), y), num=20, init=init)
    dense = jr.path(SQUARED, jr.L1(), (X, y), strengths=fits.strengths, init=init)
    assert (fits.status == 0).all() and not fits.params["coef"][:, 5].any()
    np.testing.assert_allclose(fits.params["coef"], dense.params["coef"], atol=1e-5)
