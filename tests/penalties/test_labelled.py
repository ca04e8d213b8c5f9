"""Labelled groups: identities, what labels may be, and a group lasso path with its certificate."""

import numpy as np
import pytest

import jaxreg as jr


def test_groups_of_one_are_l1_and_one_group_is_l2(dtype: np.dtype):
    x = np.random.default_rng(0).normal(size=6).astype(dtype)
    for alike, other in (
        (jr.GroupL2(range(6)), jr.L1()),
        (jr.GroupL2([0] * 6, np.ones(1)), jr.L2()),
    ):
        np.testing.assert_allclose(alike.value(x), other.value(x), rtol=1e-6)
        for step in (0.4, np.linspace(0.1, 1, 6, dtype=dtype)):
            np.testing.assert_allclose(alike.prox(x, step), other.prox(x, step), rtol=1e-5, atol=1e-7)


def test_joint_groups_of_rows_are_l2_rows(x64):
    x = np.random.default_rng(0).normal(size=(3, 4))
    g = jr.GroupL2(range(4), np.ones(4), axis=-1)
    np.testing.assert_allclose(g.prox(x, 0.7), jr.L2(axis=0).prox(x, 0.7), rtol=1e-12)
    apart = jr.GroupL2([0] * 4, np.ones(1), joint=False)
    np.testing.assert_allclose(apart.prox(x, 0.7), jr.L2(axis=1).prox(x, 0.7), rtol=1e-12)


def test_strengths_per_group(x64):
    x = np.random.default_rng(0).normal(size=5)
    labels, strengths = [0, 0, 1, 2, 2], np.array([0.5, 0.0, 2.0])
    made = (strengths * jr.GroupL2(labels, np.ones(3))).prox(x, 0.3)
    same = jr.GroupL2(labels, strengths).prox(x, 0.3)
    np.testing.assert_allclose(made, same, rtol=1e-12)


def test_a_group_lasso_path_starts_where_all_groups_leave(x64):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 6))
    y = X[:, :2] @ np.ones(2) + 0.1 * rng.normal(size=30)
    labels = [0, 0, 1, 1, 2, 2]
    risk, g = jr.risk(jr.linear, jr.Squared()), jr.GroupL2(labels)
    top = float(jr.strength_max(risk, g, (X, y)))
    by_hand = max(np.linalg.norm(X[:, i : i + 2].T @ y / 30) / np.sqrt(2) for i in (0, 2, 4))
    np.testing.assert_allclose(top, by_hand, rtol=1e-10)
    path = jr.path(risk, g, (X, y), num=8, tol=1e-8)
    assert (path.gap <= 1e-8).all() and not np.asarray(path.params[0]).any()
    gone = np.asarray(path.params).reshape(8, 3, 2) == 0
    assert (gone.all(-1) == gone.any(-1)).all() and gone[3].any()


@pytest.mark.parametrize("labels", [[0, 2], [1, 2], [0.5, 1.0], [[0, 1]]], ids=repr)
def test_labels_that_do_not_number_groups(labels):
    with pytest.raises(ValueError, match="labels"):
        jr.GroupL2(labels)


def test_what_does_not_fit_is_explained():
    with pytest.raises(ValueError, match="expected 3 entries on axis -1"):
        jr.GroupL2([0, 0, 1]).value(np.ones(4, "float32"))
    with pytest.raises(ValueError, match="one per group"):
        jr.GroupL2([0, 0, 1], np.ones(3)).check()
