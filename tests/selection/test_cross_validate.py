"""Cross-validation: folds as weights equal folds as slices, on every route."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.model_selection import KFold, ShuffleSplit

import jaxreg as jr
from jaxreg.selection.folds import fold_masks

SQUARED = jr.risk(jr.linear, jr.Squared())
LOGISTIC = jr.risk(jr.linear, jr.Logistic())
FINE = {"solver": jr.FISTA(), "tol": 1e-13, "max_steps": 50_000, "on_fail": "ignore"}
GRID = np.array([0.5, 0.1, 0.02])


def sample(n: int = 24, p: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, p)) + 0.5
    return X, X[:, 0] - 0.5 * X[:, 1] + 1 + 0.5 * rng.normal(size=n)


def by_slicing(risk, penalty, data, masks, init, weights=None):
    """Every fold fitted on sliced rows, one at a time."""
    X, y = data
    w = np.ones(len(y)) if weights is None else weights
    scores, params = [], []
    for held in masks:
        fits = [jr.minimize(risk, s * penalty, init, (X[~held], y[~held]), w[~held], **FINE) for s in GRID]
        assert all(f.gap <= 1e-11 for f in fits)
        params.append([f.params for f in fits])
        scores.append([float(risk(f.params, (X[held], y[held]), w[held])) for f in fits])
    return np.array(scores), params


ROUTES = {
    "moments": (SQUARED, (24, 5), 1e-8),
    "rows": (SQUARED, (12, 16), 1e-8),
    "generic": (LOGISTIC, (24, 5), 1e-7),
}


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("weighted", [False, True])
def test_folds_by_weights_are_folds_by_slicing(route: str, weighted: bool, x64):
    risk, shape, atol = ROUTES[route]
    X, y = sample(*shape)
    y = (y > y.mean()).astype(float) if risk is LOGISTIC else y
    w = np.random.default_rng(1).uniform(0.5, 2, len(y)) if weighted else None
    init, masks = jr.linear_params((X, y)), jr.kfold(len(y), 3)
    kwargs = {"folds": 3, "strengths": GRID, "weights": w, "init": init, **FINE}
    cv = jr.cross_validate(risk, jr.L1(), (X, y), **kwargs)
    assert cv.path.route == route and (cv.gap <= 1e-11).all()
    scores, params = by_slicing(risk, jr.L1(), (X, y), masks, init, w)
    np.testing.assert_allclose(cv.scores, scores, atol=atol)
    for k in range(3):
        for i in range(3):
            for a, b in zip(jax.tree.leaves(cv.fold_params), jax.tree.leaves(params[k][i]), strict=True):
                np.testing.assert_allclose(a[k, i], b, atol=1e-6)


def test_overlapping_masks_and_splitters(x64):
    """Any splitter, rows held out twice or never: as slicing."""
    X, y = sample()
    init = jr.linear_params((X, y))
    pairs = list(ShuffleSplit(4, test_size=0.3, random_state=0).split(X))
    masks = np.zeros((4, len(y)), bool)
    for mask, (_, test) in zip(masks, pairs, strict=True):
        mask[test] = True
    both = [
        jr.cross_validate(SQUARED, jr.L1(), (X, y), folds=f, strengths=GRID, init=init, **FINE) for f in (pairs, masks)
    ]
    np.testing.assert_array_equal(both[0].scores, both[1].scores)
    np.testing.assert_allclose(both[0].scores, by_slicing(SQUARED, jr.L1(), (X, y), masks, init)[0], atol=1e-8)


def test_a_number_is_contiguous_folds_as_in_scikit_learn():
    for n, k in ((10, 3), (7, 7), (11, 2)):
        masks = jr.kfold(n, k)
        for mask, (_, test) in zip(masks, KFold(k).split(np.zeros(n)), strict=True):
            np.testing.assert_array_equal(np.flatnonzero(mask), test)
    shuffled = jr.kfold(20, 4, jax.random.key(0))
    assert (shuffled.sum(0) == 1).all() and (shuffled.sum(1) == 5).all()
    assert not np.array_equal(shuffled, jr.kfold(20, 4))
    for k in (1, 5):
        with pytest.raises(ValueError, match="2 <= k <= n"):
            jr.kfold(4, k)


def test_folds_split_every_task_evenly_and_by_the_key():
    weights = np.array([[1, 1, 0, 1, 1, 1], [1, 1, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0]], float)
    first, again, other = (fold_masks("here", 3, weights, jax.random.key(k)) for k in (0, 0, 1))
    assert first.sum(2).T.tolist() == [[2, 2, 1], [1, 1, 1], [1, 0, 0]]
    assert (first.sum(0) == (weights > 0)).all()
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_best_and_one_standard_error(x64):
    """The strongest strength whose mean score is within one standard error of the smallest."""
    cv = jr.cross_validate(SQUARED, jr.L1(), sample(), folds=4, num=15, ratio=0.01, tol=1e-8)
    scores = np.asarray(cv.scores)
    mean, error = scores.mean(0), scores.std(0, ddof=1) / np.sqrt(4)
    best = int(np.argmin(mean))
    first = next(i for i in range(15) if mean[i] <= mean[best] + error[best])
    assert (int(cv.best), int(cv.one_se)) == (best, first) and first <= best
    np.testing.assert_allclose(cv.mean, mean)
    np.testing.assert_allclose(cv.standard_error, error)
    np.testing.assert_array_equal(cv.params, cv.path.params[best])


def test_the_path_is_that_of_all_rows(x64):
    data = sample()
    cv = jr.cross_validate(SQUARED, jr.L1(), data, folds=4, num=6, **FINE)
    alone = jr.path(SQUARED, jr.L1(), data, num=6, **FINE)
    np.testing.assert_allclose(cv.strengths, alone.strengths, rtol=1e-12)
    np.testing.assert_allclose(cv.path.params, alone.params, atol=1e-8)


def test_scoring_sees_the_held_out_weights(x64):
    X, y = sample()

    def absolute(params, data, weights):
        return jnp.sum(weights * jnp.abs(data[1] - jr.linear(params, data[0]))) / jnp.sum(weights)

    cv = jr.cross_validate(SQUARED, jr.L1(), (X, y), folds=3, strengths=GRID, scoring=absolute, tol=1e-10)
    for k, held in enumerate(jr.kfold(len(y), 3)):
        expected = np.mean(np.abs(y[held] - X[held] @ np.asarray(cv.fold_params[k, 1])))
        np.testing.assert_allclose(cv.scores[k, 1], expected)


def test_tasks_are_split_within_each(x64):
    rng = np.random.default_rng(0)
    blocks = [(X := rng.normal(size=(m, 3)), X[:, 0] + 0.1 * rng.normal(size=m)) for m in (9, 5, 14)]
    t, joint = jr.tasks(blocks), jr.multitask(SQUARED)
    kwargs = {"weights": t.weights, "strengths": GRID, "tol": 1e-12, "init": jr.linear_params(t.data)}
    cv = jr.cross_validate(joint, jr.L2(axis=0), t.data, folds=3, **kwargs)
    assert cv.scores.shape == (3, 3) and (cv.status == 0).all()
    masks = np.zeros((3, 3, 14), bool)
    for task, (X, _) in enumerate(blocks):
        masks[:, task, : len(X)] = jr.kfold(len(X), 3)
    same = jr.cross_validate(joint, jr.L2(axis=0), t.data, folds=masks, **kwargs)
    np.testing.assert_allclose(cv.scores, same.scores, rtol=1e-12)
    k, i = 1, 1
    train = [(X[~masks[k, j, : len(X)]], y[~masks[k, j, : len(X)]]) for j, (X, y) in enumerate(blocks)]
    sliced = jr.tasks(train)
    alone = jr.minimize(
        joint, GRID[i] * jr.L2(axis=0), jr.linear_params(sliced.data), sliced.data, sliced.weights, tol=1e-12
    )
    np.testing.assert_allclose(cv.fold_params["coef"][k, i], alone.params["coef"], atol=1e-6)


def test_shuffling_needs_a_key_and_is_repeatable(x64):
    runs = [
        jr.cross_validate(SQUARED, jr.L1(), sample(), folds=3, strengths=GRID, key=jax.random.key(s)).scores
        for s in (0, 0, 1)
    ]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


FAULTS = {
    "one fold": (1, "expected 2 <= folds"),
    "too many": (25, "expected 2 <= folds"),
    "shape": (np.zeros((3, 5), bool), "expected boolean"),
    "dtype": (np.zeros((3, 24)), "expected boolean"),
    "nothing held": (np.zeros((2, 24), bool), "holds out 0"),
    "all held": (np.ones((2, 24), bool), "keeps 0"),
    "no complement": ([(np.arange(10), np.arange(5))], "complements"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_folds_that_cannot_be_used_are_named(case: str, x64):
    folds, message = FAULTS[case]
    with pytest.raises(ValueError, match=message):
        jr.cross_validate(SQUARED, jr.L1(), sample(), folds=folds)


def test_folds_are_chosen_on_the_host():
    X, y = (a.astype("float32") for a in sample())
    with pytest.raises(TypeError, match="outside of jit"):
        jax.jit(lambda w: jr.cross_validate(SQUARED, jr.L1(), (X, y), weights=w).scores)(np.ones(24, "float32"))
