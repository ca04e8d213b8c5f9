"""Ragged tasks as padded arrays."""

import numpy as np
import pytest
from sklearn.linear_model import ElasticNet

import jaxreg as jr


def blocks(sizes=(3, 1, 0, 5), p: int = 2) -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(0)
    return [(rng.normal(size=(m, p)).astype("float32"), rng.normal(size=m).astype("float32")) for m in sizes]


def test_ragged_one_row_and_empty_tasks():
    given = blocks()
    made = jr.tasks(given)
    assert made.data[0].shape == (4, 5, 2) and made.data[1].shape == (4, 5) and len(made) == 4
    assert made.ids == (0, 1, 2, 3) and made.counts.tolist() == [3, 1, 0, 5]
    for (X, y), kept_x, kept_y in zip(given, made.ragged(made.data[0]), made.ragged(made.data[1]), strict=True):
        np.testing.assert_array_equal(kept_x, X)
        np.testing.assert_array_equal(kept_y, y)


@pytest.mark.parametrize("labels", [["b", "a", "b", "c"], [7, 3, 7, 9], np.array([2.5, 1.0, 2.5, 3.0])])
def test_rows_sorted_by_task(labels):
    X, y = np.arange(8, dtype="float32").reshape(4, 2), np.arange(4, dtype="float32")
    made = jr.tasks(X, y, labels, weights=np.array([1, 2, 3, 4], "float32"))
    assert made.ids == tuple(np.unique(labels).tolist())
    assert made.weights.tolist() == [[2, 0], [1, 3], [4, 0]]
    assert made.data[1].tolist() == [[1, 0], [0, 2], [3, 0]]


def test_a_padded_fit_is_the_fit_of_each_task(x64):
    rng = np.random.default_rng(0)
    given = [(rng.normal(size=(m, 3)), rng.normal(size=m)) for m in (6, 9, 1)]
    made = jr.tasks(given)
    joint = jr.minimize(
        jr.multitask(jr.risk(jr.linear, jr.Squared())),
        0.1 * jr.L1() + 0.1 * jr.Ridge(),
        np.zeros((3, 3)),
        made.data,
        made.weights,
        tol=1e-12,
    )
    for (X, y), w in zip(given, joint.params, strict=True):
        alone = ElasticNet(alpha=0.2, l1_ratio=0.5, fit_intercept=False, tol=1e-14, max_iter=10**6).fit(X, y)
        np.testing.assert_allclose(w, alone.coef_, atol=1e-6)


def test_integer_labels_stay_labels():
    made = jr.tasks([(np.ones((2, 1), "float32"), np.array([0, 1])), (np.ones((1, 1), "float32"), np.array([2]))])
    assert made.data[1].dtype.kind == "i"


def test_several_outputs():
    given = [(np.ones((m, 2), "float32"), np.ones((m, 3), "float32")) for m in (1, 4)]
    assert jr.tasks(given).data[1].shape == (2, 4, 3)


def test_missing_responses_weigh_nothing(x64):
    """One task per column on shared rows; each equals the fit on the rows where its response is there."""
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(9, 3)), rng.normal(size=(9, 4))
    Y[rng.random(Y.shape) < 0.3] = np.nan
    Y[:, 2] = np.nan
    made = jr.tasks(X, Y)
    assert made.ids == (0, 1, 2, 3) and made.counts.tolist() == (~np.isnan(Y)).sum(0).tolist()
    joint = jr.multitask(jr.risk(jr.linear, jr.Squared()))
    found = jr.minimize(joint, 0.1 * jr.Ridge(), np.zeros((4, 3)), made.data, made.weights, tol=1e-12).params
    for t, y in enumerate(Y.T):
        A, b = X[~np.isnan(y)], y[~np.isnan(y)]
        expected = np.linalg.solve(A.T @ A / max(len(b), 1) + 0.1 * np.eye(3), A.T @ b / max(len(b), 1))
        np.testing.assert_allclose(found[t], expected, atol=1e-6)
    weighted = jr.tasks(X, Y, weights=np.arange(9.0))
    np.testing.assert_array_equal(weighted.weights, np.where(np.isnan(Y), 0, np.arange(9.0)[:, None]).T)
    np.testing.assert_array_equal(jr.tasks(X, Y, weights=np.array(weighted.weights).T).weights, weighted.weights)


def test_task_weights_are_the_tasks_terms_in_the_objective(x64):
    made = jr.tasks(blocks((3, 4, 5)))
    weights, W = np.array([1.0, 0.0, 2.5]), np.random.default_rng(1).normal(size=(3, 2))
    each = [jr.risk(jr.linear, jr.Squared())(W[t], (X, y)) for t, (X, y) in enumerate(blocks((3, 4, 5)))]
    joint = jr.multitask(jr.risk(jr.linear, jr.Squared()), task_weights=weights)
    np.testing.assert_allclose(joint(W, made.data, made.weights), weights @ np.array(each), rtol=1e-5)
    with pytest.raises(ValueError):
        jr.multitask(jr.risk(jr.linear, jr.Squared()), task_weights=weights[:2])(W, made.data, made.weights)


def test_hostile_tasks_are_fitted_beside_good_ones(x64):
    """One row, none, a constant target, a duplicate, a scale of 1e6: each ridge fit is the closed form's."""
    rng = np.random.default_rng(2)
    X, w = rng.normal(size=(8, 3)), np.array([1.0, 2.0, 0.0])
    given = [(X, X @ w), (X[:1], np.array([2.0])), (X[:0], np.zeros(0)), (X[:5], np.full(5, 3.0)), (X, X @ w)]
    given.append((X, 1e6 * (X @ w)))
    made = jr.tasks(given)
    joint = jr.multitask(jr.risk(jr.linear, jr.Squared()))
    sol = jr.minimize(joint, 0.1 * jr.Ridge(), jr.linear_params(made.data), made.data, made.weights, tol=1e-12)
    assert sol.status == jr.Status.CONVERGED
    for t, (A, b) in enumerate(given):
        A, b = (a - a.mean(0) if len(a) else a for a in (A, b))
        expected = np.linalg.solve(A.T @ A / max(len(b), 1) + 0.1 * np.eye(3), A.T @ b / max(len(b), 1))
        np.testing.assert_allclose(sol.params["coef"][t], expected, atol=1e-3 * max(1.0, np.abs(b).max(initial=0)))
    np.testing.assert_array_equal(sol.params["coef"][0], sol.params["coef"][4])
    assert sol.params["coef"][1].tolist() == sol.params["coef"][2].tolist() == [0, 0, 0]


def spoiled(value: float):
    given = blocks()
    given[3][0][2, 1] = value
    return given


def test_a_bad_row_of_weight_zero_is_harmless():
    weights = [np.ones(m, "float32") for m in (3, 1, 0, 5)]
    weights[3][2] = 0
    made = jr.tasks(spoiled(np.nan), weights=weights)
    sol = jr.minimize(
        jr.multitask(jr.risk(jr.linear, jr.Squared())),
        0.1 * jr.Ridge(),
        np.zeros((4, 2), "float32"),
        made.data,
        made.weights,
    )
    assert np.isfinite(sol.params).all() and sol.status == 0


WRONG = {
    "NaN": (lambda: jr.tasks(spoiled(np.nan)), ValueError, "task 3 has NaN or infinite entries, first in row 2"),
    "infinite": (lambda: jr.tasks(spoiled(np.inf)), ValueError, "task 3"),
    "features": (lambda: jr.tasks(blocks() + blocks(p=3)), ValueError, "task 4 has X of shape"),
    "rows": (lambda: jr.tasks([(np.ones((3, 2)), np.ones(2))]), ValueError, "task 0 has X of shape"),
    "no tasks": (lambda: jr.tasks([]), TypeError, "list of"),
    "all empty": (lambda: jr.tasks(blocks((0, 0))), ValueError, "every task is empty"),
    "no rows": (lambda: jr.tasks(np.ones((0, 2)), np.ones(0), []), ValueError, "no rows"),
    "ids": (lambda: jr.tasks(np.ones((3, 2)), np.ones(3), [1, 2]), ValueError, "must agree"),
    "y alone": (lambda: jr.tasks(np.ones((3, 2)), np.ones(3)), TypeError, "task_id"),
    "NaN in X": (lambda: jr.tasks(np.array([[np.nan], [1.0]]), np.ones((2, 2))), ValueError, "first in row 0"),
    "infinite Y": (lambda: jr.tasks(np.ones((2, 1)), np.array([[1, 2], [1, np.inf]])), ValueError, "task 1 has NaN or"),
    "Y rows": (lambda: jr.tasks(np.ones((2, 1)), np.ones((3, 2))), ValueError, r"expected \(n, features\)"),
    "Y missing": (lambda: jr.tasks(np.ones((2, 1)), np.full((2, 2), np.nan)), ValueError, "every task is empty"),
    "Y weights": (lambda: jr.tasks(np.ones((2, 1)), np.ones((2, 2)), weights=np.ones(3)), ValueError, "like Y"),
    "text": (lambda: jr.tasks([(np.array([["a"]]), np.ones(1))]), TypeError, "task 0"),
    "weights": (lambda: jr.tasks(blocks(), weights=[None]), ValueError, "1 arrays of weights for 4 tasks"),
    "negative": (lambda: jr.tasks(blocks((2,)), weights=[[-1.0, 1.0]]), ValueError, "weight >= 0"),
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.filterwarnings("ignore::jaxreg.PrecisionWarning")
def test_what_is_wrong_is_named(case: str):
    make, error, message = WRONG[case]
    with pytest.raises(error, match=message):
        make()
