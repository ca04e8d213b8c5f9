"""The picture of how tasks are related."""

from types import SimpleNamespace

import numpy as np
import pytest

from jaxreg import plots
from jaxreg.cli._named import NAMED


def test_tasks_that_are_alike_stand_side_by_side(tmp_path):
    rng = np.random.default_rng(0)
    cluster = rng.permutation(np.repeat([0, 1, 2], 4))
    W = np.eye(3)[cluster] + 0.05 * rng.normal(size=(12, 3))
    S = W @ W.T / np.outer(*[np.linalg.norm(W, axis=1)] * 2)
    figure = plots.relation(S, [f"{c}-{i}" for i, c in enumerate(cluster)], "twelve tasks")
    ax = figure.axes[0]
    labels = [label.get_text() for label in ax.get_yticklabels()]
    shown = np.asarray(ax.images[0].get_array())
    order = [int(label.split("-")[1]) for label in labels]
    np.testing.assert_allclose(shown, S[np.ix_(order, order)])
    assert (np.diff(cluster[order]) != 0).sum() == 2 and ax.get_title(loc="left") == "twelve tasks"
    figure.savefig(tmp_path / "relation.png")
    assert (tmp_path / "relation.png").stat().st_size > 1000


@pytest.mark.parametrize(("name", "word"), [("task_relationship", "covariance Ω"), ("dirty", "cosines")])
def test_the_picture_is_of_what_the_model_learns(name, word, x64):
    W = np.random.default_rng(0).normal(size=(2, 3)) * [[1.0], [4.0]]
    method = SimpleNamespace(name=name, named=NAMED[name])
    problem = SimpleNamespace(ids=("a", "b"), table=SimpleNamespace(name="two"))
    ax = plots.learned(problem, SimpleNamespace(method=method, standardised=W)).axes[0]
    values, vectors = np.linalg.eigh(W @ W.T)
    root = (vectors * np.sqrt(values)) @ vectors.T
    size = np.linalg.norm(W, axis=1)
    expected = root / np.trace(root) if name == "task_relationship" else W @ W.T / np.outer(size, size)
    np.testing.assert_allclose(np.asarray(ax.images[0].get_array()), expected)
    assert word in ax.get_title(loc="left")


def test_labels_stay_readable_up_to_160_tasks():
    figure = plots.relation(np.eye(160), range(160))
    label = figure.axes[0].get_yticklabels()[0]
    height = figure.get_size_inches()[1] * 72
    assert label.get_fontsize() >= 4 and 160 * label.get_fontsize() <= height


@pytest.mark.parametrize("tasks", [1, 2])
def test_few_tasks_are_drawn(tasks: int):
    assert plots.relation(np.eye(tasks), ["a", "b"][:tasks]).axes


@pytest.mark.parametrize("S", [np.eye(3), np.array([[1.0, 0.5], [0.1, 1.0]]), np.full((2, 2), np.nan)])
def test_what_cannot_be_drawn_is_named(S):
    with pytest.raises(ValueError, match="expected symmetric finite numbers"):
        plots.relation(S, ["a", "b"])
