"""A sweep's batches on disk: each in a file of its own, written whole or not at all, read by the same sweep alone."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from jaxreg import _files, _tree
from jaxreg.sweeps._axes import WHERE, Axes


class Store:
    """A folder with one npz per batch and `sweep.json`, which says whose they are."""

    def __init__(self, folder: str | Path, mark: dict[str, Any]) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        about = self.folder / "sweep.json"
        if not about.is_file():
            _files.write_text(about, json.dumps(mark))
            return
        try:
            found = json.loads(about.read_text(encoding="utf-8"))
        except ValueError:
            found = {}
        other = [name for name in mark if not isinstance(found, dict) or found.get(name) != mark[name]]
        if other:
            raise ValueError(
                f"{WHERE}: the checkpoint in {folder} is of another sweep (its {', '.join(other)} differs). Give "
                "another folder, or delete this one."
            )

    def read(self, batch: int, shapes: list[Any]) -> list[np.ndarray] | None:
        """The leaves of a batch; None where there is no file, or one that cannot be read."""
        try:
            held = _files.read_npz(self._file(batch))
            leaves = [held[str(i)] for i in range(len(shapes))]
        except _files.BROKEN:
            return None
        fit = [(x.shape, x.dtype) for x in leaves] == [(s.shape, s.dtype) for s in shapes]
        return leaves if fit else None

    def write(self, batch: int, leaves: list[np.ndarray]) -> None:
        """Keep a batch."""
        _files.write_npz(self._file(batch), {str(i): x for i, x in enumerate(leaves)})

    def _file(self, batch: int) -> Path:
        return self.folder / f"batch-{batch:06d}.npz"


def marked(program: str, fit: Any, axes: Axes, batch_size: int) -> dict[str, Any]:
    """What tells one sweep from another: the lowered program, its data, axes and batches."""
    return {
        "format": "jaxreg.sweep",
        "version": 1,
        "program": hashlib.sha256(program.encode()).hexdigest(),
        "data": _tree.digest(fit),
        "axes": {
            name: [size, _tree.digest(axes.values[name])] for name, size in zip(axes.names, axes.sizes, strict=True)
        },
        "batch_size": batch_size,
    }
