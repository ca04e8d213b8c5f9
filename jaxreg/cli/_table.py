"""The user's table, or one that ships with the package, as plain arrays and names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jaxreg.cli._encode import finite, numbers, one_hot, target
from jaxreg.cli._errors import InputError, need
from jaxreg.datasets import load_hsb, load_tecator

BUILT_IN = {"hsb": load_hsb, "tecator": load_tecator}
SUFFIXES = (".csv", ".parquet", ".npz")


@dataclass(frozen=True, eq=False)
class Table:
    """n rows of p features; y is (n, k), one column per target; task (n,) labels the rows, or is None."""

    name: str
    X: np.ndarray
    y: np.ndarray
    task: np.ndarray | None
    features: tuple[str, ...]
    targets: tuple[str, ...]
    task_column: str | None
    notes: tuple[str, ...] = ()


def load(source: str, targets: list[str], task: str | None, loss: str, drop_missing: bool) -> Table:
    """The table named or read from a file. Raises InputError for anything that cannot be used."""
    if source in BUILT_IN:
        if targets or task:
            raise InputError(f"{source} brings its own target and tasks; --target and --task go with a FILE.")
        return _built_in(source)
    path = Path(source)
    if path.suffix not in SUFFIXES:
        raise InputError(f"{source} is neither {' nor '.join(BUILT_IN)} nor a file; expected {', '.join(SUFFIXES)}.")
    if not path.is_file():
        raise InputError(f"{source}: no such file; give the path of a {', '.join(SUFFIXES)} file.")
    if path.suffix == ".npz":
        return _from_npz(path, targets, task, loss, drop_missing)
    need("pandas", *(["pyarrow"] if path.suffix == ".parquet" else []))
    return _from_frame(path.stem, _read(path), targets, task, loss, drop_missing)


def _built_in(name: str) -> Table:
    data = BUILT_IN[name]()
    X, y, task = data.X, data.y.reshape(len(data.X), -1), data.task_id
    keep = np.sort(np.unique(np.c_[X, y], axis=0, return_index=True)[1]) if task is None else np.arange(len(X))
    dropped = len(X) - len(keep)
    notes = (f"{dropped} rows that repeat an earlier row exactly were left out.",) if dropped else ()
    labels = None if task is None else task[keep]
    return Table(name, X[keep], y[keep], labels, data.features, data.targets, data.task_column, notes)


def _read(path: Path) -> Any:
    import pandas as pd

    try:
        return pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    except Exception as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path} cannot be read as {path.suffix[1:]}: {said}") from error


def _from_frame(name: str, frame: Any, targets: list[str], task: str | None, loss: str, drop_missing: bool) -> Table:
    frame = frame.rename(columns=str)
    _check_columns(list(frame.columns), targets, task)
    frame, notes = _drop_missing(frame, drop_missing)
    if not len(frame):
        raise InputError(f"{name} has no rows{' without missing cells' if notes else ''}; a few per task are needed.")
    labels = None if task is None else frame[task].to_numpy()
    columns = [c for c in frame.columns if c not in {*targets, task}]
    if not columns:
        raise InputError(f"no feature column is left beside {', '.join(targets)}; at least one is needed.")
    y = np.column_stack([target(t, frame[t], loss) for t in targets])
    blocks = [one_hot(c, frame[c]) for c in columns]
    X = np.column_stack([values for values, _ in blocks])
    features = tuple(f for _, names in blocks for f in names)
    if not features:
        raise InputError("every feature column has a single value; at least one that varies is needed.")
    return Table(name, finite(X, features), finite(y, targets), labels, features, tuple(targets), task, notes)


def _check_columns(columns: list[str], targets: list[str], task: str | None) -> None:
    known = ", ".join(columns[:12]) + (", …" if len(columns) > 12 else "")
    if not targets:
        raise InputError(f"--target is needed with a file: name one or more of its columns ({known}).")
    for column in [*targets, *([task] if task else [])]:
        if column not in columns:
            raise InputError(f"there is no column {column!r}; the file has {known}.")
    if len({*targets, task}) != len(targets) + 1:
        raise InputError("--target and --task name a column twice; each may be given once.")


def _drop_missing(frame: Any, drop: bool) -> tuple[Any, tuple[str, ...]]:
    missing = frame.isna()
    rows = int(missing.any(axis=1).sum())
    if not rows:
        return frame, ()
    if not drop:
        cells = missing.sum()
        worst = ", ".join(f"{c!r} {int(k)}" for c, k in cells[cells > 0].head(5).items())
        raise InputError(
            f"{rows} of {len(frame)} rows have missing cells ({worst}); fill them, or pass --drop-missing."
        )
    return frame[~missing.any(axis=1)], (f"{rows} rows with missing cells were left out.",)


def _from_npz(path: Path, targets: list[str], task: str | None, loss: str, drop_missing: bool) -> Table:
    if targets or task:
        raise InputError("--target and --task go with .csv and .parquet; an .npz holds X, y and optionally task.")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            held = {name: arrays[name] for name in ("X", "y", "task") if name in arrays}
    except Exception as error:
        raise InputError(f"{path} cannot be read as npz: {str(error).splitlines()[0]}") from error
    if "X" not in held or "y" not in held:
        raise InputError(f"{path} must hold arrays X and y, and optionally task.")
    X, y = numbers("X", held["X"]), numbers("y", held["y"])
    y = y[:, None] if y.ndim == 1 else y
    labels = held.get("task")
    fits = X.ndim == 2 and y.ndim == 2 and len(X) == len(y) and X.size and y.size
    if not fits or (labels is not None and labels.shape != (len(X),)):
        shapes = ", ".join(f"{name} {array.shape}" for name, array in held.items())
        raise InputError(f"{path} holds {shapes}; expected X (n, p), y (n,) or (n, k), and task (n,).")
    bad = np.isnan(X).any(1) | np.isnan(y).any(1)
    if bad.any() and not drop_missing:
        raise InputError(f"{int(bad.sum())} of {len(X)} rows have NaN; fill them, or pass --drop-missing.")
    notes = (f"{int(bad.sum())} rows with missing cells were left out.",) if bad.any() else ()
    features = tuple(f"x{j}" for j in range(X.shape[1]))
    names = ("y",) if y.shape[1] == 1 else tuple(f"y{j}" for j in range(y.shape[1]))
    X, y = finite(X[~bad], features), finite(y[~bad], names)
    y = np.column_stack([target(n, y[:, j], loss) for j, n in enumerate(names)])
    labels = None if labels is None else labels[~bad]
    return Table(path.stem, X, y, labels, features, names, None if labels is None else "task", notes)
