"""Metrics of padded tasks against scikit-learn, task by task."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn import metrics as sk

import jaxreg as jr
from jaxreg import metrics

SIZES = (5, 1, 0, 7, 4)
CONSTANT = 4


def padded() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predictions, targets and uneven weights; rows that do not count hold NaN; the last task's target is constant."""
    rng = np.random.default_rng(0)
    shape = len(SIZES), max(SIZES)
    z, y, w = rng.normal(size=shape), rng.normal(size=shape), rng.uniform(0.5, 2, shape)
    y += 3 * np.arange(len(SIZES))[:, None]
    y[CONSTANT] = 0.1
    w[np.arange(shape[1]) >= np.array(SIZES)[:, None]] = 0
    return np.where(w > 0, z, np.nan), np.where(w > 0, y, np.nan), w


def rows(*arrays: np.ndarray) -> list[list[np.ndarray]]:
    """The rows that count, for every task that has any."""
    w = arrays[-1]
    return [[a[t][w[t] > 0] for a in arrays] for t in range(len(w)) if (w[t] > 0).any()]


def slow(name: str) -> float:
    """The metric by scikit-learn."""
    tasks = rows(*padded())
    z, y, w = (np.concatenate(parts) for parts in zip(*tasks, strict=True))
    counts = np.array([np.sum(w) for _, _, w in tasks])
    rmse = np.array([sk.root_mean_squared_error(y, z, sample_weight=w) for z, y, w in tasks])
    several = [t for t, (_, y, _) in enumerate(tasks) if np.ptp(y) > 0]
    r2 = np.array([sk.r2_score(tasks[t][1], tasks[t][0], sample_weight=tasks[t][2]) for t in several])
    centred = [(z - np.average(y, weights=w), y - np.average(y, weights=w), w) for z, y, w in tasks]
    inner = [np.concatenate(parts) for parts in zip(*centred, strict=True)]
    return {
        "mean_task_rmse": rmse.mean(),
        "weighted_rmse": np.average(rmse, weights=counts),
        "pooled_rmse": sk.root_mean_squared_error(y, z, sample_weight=w),
        "mean_task_r2": r2.mean(),
        "weighted_r2": np.average(r2, weights=counts[several]),
        "nmse": 1 - np.average(r2, weights=counts[several]),
        "pooled_r2": sk.r2_score(y, z, sample_weight=w),
        "within_r2": sk.r2_score(inner[1], inner[0], sample_weight=inner[2]),
    }[name]


NAMES = [
    "mean_task_rmse",
    "weighted_rmse",
    "pooled_rmse",
    "mean_task_r2",
    "weighted_r2",
    "nmse",
    "pooled_r2",
    "within_r2",
]


@pytest.mark.parametrize("name", NAMES)
def test_errors_and_r2_are_those_of_scikit_learn(name: str, x64):
    found = jax.jit(getattr(metrics, name))(*padded())
    assert float(found) == pytest.approx(slow(name), rel=1e-12)


def test_accuracy_and_auc_are_those_of_scikit_learn(x64):
    z, y, w = padded()
    z, y = np.round(2 * z) / 2, (y > 3 * np.arange(len(SIZES))[:, None]).astype(int)
    w[0, 1] = 0
    assert len(np.unique(z[w > 0])) < np.sum(w > 0) / 2
    tasks = rows(z, y, w)
    right = [sk.accuracy_score(y, z > 0, sample_weight=w) for z, y, w in tasks]
    areas = [sk.roc_auc_score(y, z, sample_weight=w) for z, y, w in tasks if 0 < y.mean() < 1]
    assert 0 < len(areas) < len(tasks)
    assert float(metrics.mean_task_accuracy(z, y, w)) == pytest.approx(np.mean(right), rel=1e-12)
    assert float(jax.jit(metrics.mean_task_auc)(z, y, w)) == pytest.approx(np.mean(areas), rel=1e-12)


def test_accuracy_of_classes_is_by_the_largest_score(x64):
    scores = np.random.default_rng(0).normal(size=(2, 6, 3))
    y = np.array([[0, 1, 2, 0, 1, 2], [2, 2, 1, 0, 0, 1]])
    right = [sk.accuracy_score(y[t], scores[t].argmax(1)) for t in range(2)]
    assert float(metrics.mean_task_accuracy(scores, y)) == pytest.approx(np.mean(right))


def test_where_no_task_says_anything_the_result_is_nan(x64):
    z, flat, none = np.ones((2, 3)), np.full((2, 3), 0.1), np.zeros((2, 3))
    assert np.isnan(metrics.mean_task_r2(z, flat)) and np.isnan(metrics.within_r2(z, flat))
    assert np.isnan(metrics.nmse(z, flat)) and np.isnan(metrics.mean_task_auc(z, flat))
    for name in NAMES:
        assert np.isnan(getattr(metrics, name)(z, z, none))


@pytest.mark.parametrize("name", [*NAMES, "mean_task_accuracy", "mean_task_auc"])
@pytest.mark.parametrize("where", ["prediction", "target"])
def test_a_nan_that_counts_is_never_turned_into_a_number(name, where, x64):
    z, y, w = np.array([[0.3, -0.2, 0.9], [0.1, -0.4, 0.2]]), np.array([[1, 0, 1], [1, 0, 0]]) * 1.0, np.ones((2, 3))
    (z if where == "prediction" else y)[0, 1] = np.nan
    assert np.isnan(getattr(metrics, name)(z, y, w))
    w[0, 1] = 0
    assert np.isfinite(getattr(metrics, name)(z, y, w))


def test_a_nan_among_the_scores_of_classes_is_kept(x64):
    scores = np.zeros((1, 2, 3))
    scores[0, 0, 2] = np.nan
    assert np.isnan(metrics.mean_task_accuracy(scores, [[0, 0]]))


def test_a_fit_is_scored_in_the_form_of_tasks():
    rng = np.random.default_rng(0)
    given = [(rng.normal(size=(m, 2)).astype("float32"), rng.normal(size=m).astype("float32")) for m in (3, 0, 5)]
    T = jr.tasks(given)
    W = jnp.ones((3, 2), "float32")
    found = metrics.mean_task_rmse(jax.vmap(jr.linear)(W, T.data[0]), T.data[1], T.weights)
    alone = [np.sqrt(np.mean((X.sum(1) - y) ** 2)) for X, y in given if len(y)]
    assert float(found) == pytest.approx(np.mean(alone), rel=1e-5) and found.dtype == np.float32


def test_gains_have_no_default_direction_and_deviations_are_no_variances(x64):
    values, baseline = np.array([[0.9, 2.0], [0.8, 0.5]]), np.array([0.8, -1.0])
    gains = jax.jit(lambda v, b: metrics.delta_m(v, b, higher=(True, False)))(values, baseline)
    np.testing.assert_allclose(gains, [50 * (0.125 - 3), 50 * (0 - 1.5)])
    with pytest.raises(TypeError):
        metrics.delta_m(values, baseline)
    mean, sd = metrics.mean_and_sd(values)
    np.testing.assert_allclose(mean, values.mean(0))
    np.testing.assert_allclose(sd, values.std(0, ddof=1))


@pytest.mark.parametrize("shapes", [((3,), (3,), (3,)), ((2, 3), (2, 4), (2, 4)), ((2, 3), (2, 3), (2,))])
def test_shapes_that_do_not_agree_are_named(shapes):
    with pytest.raises(ValueError, match=r"expected \(tasks, rows\)"):
        metrics.pooled_rmse(*(np.ones(s, "float32") for s in shapes))
