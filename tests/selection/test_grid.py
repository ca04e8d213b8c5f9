"""Cross-validation over strength × mix."""

import jax
import numpy as np
import pytest
from sklearn.linear_model import ElasticNet
from sklearn.model_selection import GridSearchCV, KFold

import jaxreg as jr

SQUARED = jr.risk(jr.linear, jr.Squared())
MIXES, GRID = (0.1, 0.5, 0.9), np.array([0.5, 0.1, 0.02])


def net(mix: float) -> jr.Penalty:
    return (1 - mix) * jr.L1() + mix * jr.Ridge()


def sample() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(24, 5))
    return X, X[:, 0] - 0.5 * X[:, 1] + 0.5 * rng.normal(size=24)


def test_the_best_pair_is_that_of_a_grid_search(x64):
    X, y = sample()
    found = jr.cross_validate_grid(SQUARED, net, (X, y), mixes=MIXES, folds=4, strengths=GRID, tol=1e-10)
    peer = GridSearchCV(
        ElasticNet(fit_intercept=False, tol=1e-12, max_iter=10**6),
        {"alpha": GRID, "l1_ratio": 1 - np.array(MIXES)},
        scoring="neg_mean_squared_error",
        cv=KFold(4),
    ).fit(X, y)
    scores = -peer.cv_results_["mean_test_score"].reshape(3, 3).T / 2
    np.testing.assert_allclose(found.mean, scores, rtol=1e-5)
    mix, strength = found.best
    assert (1 - MIXES[mix], GRID[strength]) == pytest.approx(
        (peer.best_params_["l1_ratio"], peer.best_params_["alpha"])
    )
    np.testing.assert_allclose(found.params, peer.best_estimator_.coef_, atol=1e-5)
    np.testing.assert_array_equal(found.best_run.scores, found.scores[mix])


def test_folds_are_the_same_for_all_mixes_and_grids_may_differ(x64):
    grids = np.stack([GRID, 2 * GRID])
    key, data = jax.random.key(3), sample()
    found = jr.cross_validate_grid(SQUARED, net, data, mixes=(0.5, 0.5), folds=3, strengths=grids, key=key)
    alone = jr.cross_validate(SQUARED, net(0.5), data, folds=3, strengths=2 * GRID, key=key)
    np.testing.assert_allclose(found.scores[1], alone.scores, rtol=1e-12)
    np.testing.assert_array_equal(found.strengths, grids)


def test_a_model_of_two_parts_over_tasks(x64):
    rng = np.random.default_rng(0)
    T = jr.tasks([(X := rng.normal(size=(m, 3)), X[:, 0] + 0.1 * rng.normal(size=m)) for m in (9, 6)])
    model = jr.multitask_models.dirty(1.0, 1.0)
    found = jr.cross_validate_grid(
        model.risk(),
        lambda mix: jr.multitask_models.dirty(1 - mix, mix).penalty,
        T.data,
        mixes=(0.3, 0.7),
        weights=T.weights,
        init=model.init(T.data),
        folds=3,
        strengths=[0.3, 0.03],
    )
    assert found.scores.shape == (2, 3, 2) and all((run.status == 0).all() for run in found.runs)
    assert model.coef(found.params).shape == (2, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mixes": ()}, "finite numbers"),
        ({"mixes": (0.5, np.nan)}, "finite numbers"),
        ({"strengths": np.ones((2, 3))}, r"expected \(L,\) or \(3, L\)"),
        ({"folds": 1}, "cross_validate_grid: folds is 1"),
    ],
)
def test_what_cannot_be_used_is_named(changes, message, x64):
    with pytest.raises(ValueError, match=message):
        jr.cross_validate_grid(SQUARED, net, sample(), **changes)
