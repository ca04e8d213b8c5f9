"""The benchmark of tasks: splits are apart, and the small size runs."""

import json
from pathlib import Path

import numpy as np
import pytest

from bench import tasks
from bench.__main__ import main


def test_splits_are_apart_and_scaled_by_training_rows():
    rng = np.random.default_rng(0)
    X, y, task = rng.normal(size=(12, 2)) * 3 + 1, np.arange(12.0), np.repeat([0, 1, 2], 4)
    masks = np.stack([rng.permutation(12) < 7 for _ in range(2)])
    for mask, split in zip(masks, tasks.halves(X, y, task, masks), strict=True):
        train, test = (np.concatenate(part.ragged(part.data[1])) for part in split)
        assert sorted([*train, *test]) == y.tolist() and sorted(train) == y[mask].tolist()
        rows = np.concatenate(split.train.ragged(split.train.data[0]))
        np.testing.assert_allclose([rows.mean(0), rows.std(0)], [[0, 0], [1, 1]], atol=1e-6)


def test_a_line_has_mean_and_deviation_over_splits():
    errors = {metric: [0.5, 0.7] for metric in tasks._METRICS}
    found = tasks.Result("toy", "low_rank", errors, [9.0, 1.0, 3.0], 1e-7, 2.0)
    assert tasks.cells(found)[2:] == (*["0.6000 ± 0.1414"] * 4, "2.00", "2.00", "1.0e-07")


def test_a_case_that_does_not_exist_is_named():
    with pytest.raises(ValueError, match="no case scool; there are school, parkinson"):
        tasks.cases(False, ["scool"])


@pytest.mark.slow
def test_the_small_size_runs(tmp_path: Path):
    assert main(["tasks", "--smoke", "--out", str(tmp_path)]) == 0
    kept = json.loads((tmp_path / "tasks-smoke.json").read_text(encoding="utf-8"))["results"]
    assert [r["method"] for r in kept][1:] == ["independent ridge", "mean_regularised"]
    assert all(len(v) == 2 and np.isfinite(v).all() for r in kept for v in r["errors"].values())
    assert kept[0]["ratio"] == 1 and all(r["gap"] <= 1e-6 for r in kept[1:])
