"""Files that are written whole or not at all."""

from __future__ import annotations

import io
import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

BROKEN = (ValueError, KeyError, TypeError, OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError)
"""What reading a file that is missing, cut off or foreign may raise."""


def write_npz(path: str | Path, arrays: Mapping[str, Any]) -> None:
    """Arrays by name, never pickled."""
    made: Any = {name: np.asarray(value) for name, value in arrays.items()}
    _replaced(Path(path), lambda file: np.savez(file, allow_pickle=False, **made))


def read_npz(path: str | Path) -> dict[str, np.ndarray]:
    """All arrays of a file, and no pickle; raises one of `BROKEN` where it cannot be read."""
    with np.load(io.BytesIO(Path(path).read_bytes()), allow_pickle=False) as held:
        return {name: held[name] for name in held.files}


def write_text(path: str | Path, text: str) -> None:
    """A text in UTF-8."""
    _replaced(Path(path), lambda file: file.write(text.encode()))


def _replaced(target: Path, fill: Callable[[IO[bytes]], Any]) -> None:
    """Fill a file beside the target and put it in its place, with the rights that a new file has."""
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".jaxreg-", delete=False) as file:
        try:
            fill(file)
        except BaseException:
            os.unlink(file.name)
            raise
    mask = os.umask(0)
    os.umask(mask)
    os.chmod(file.name, 0o666 & ~mask)
    os.replace(file.name, target)
