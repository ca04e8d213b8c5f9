"""The file of a fitted multi-task model: an npz of arrays and one text of JSON, never a pickle."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from jaxreg import _files, losses
from jaxreg.losses import Loss, per_task
from jaxreg.losses.per_task import PerTask

FORMAT, VERSION, READ = "jaxreg.FittedTasks", 2, (1, 2)
ARRAYS = ("coef", "intercept", "center", "scale", "counts", "gap", "status")
PART = "part."


def write(
    path: str | Path,
    arrays: dict[str, Any],
    parts: dict[str, Any],
    ids: tuple[Any, ...],
    names: tuple[str, ...] | None,
    loss: Loss,
) -> None:
    """Write a file whole or not at all. Raises TypeError for ids or a loss that JSON cannot keep."""
    for name in ids:
        if not isinstance(name, str | int | float) or (isinstance(name, float) and not math.isfinite(name)):
            raise TypeError(f"save: task id {name!r} is {type(name).__name__}, expected text or finite numbers.")
    about = {"format": FORMAT, "version": VERSION, "ids": list(ids), "names": names, "loss": _described(loss)}
    named = {f"{PART}{name}": value for name, value in parts.items()}
    _files.write_npz(path, {"about": np.array(json.dumps(about)), **arrays, **named})


def read(path: str | Path) -> dict[str, Any]:
    """All fields of a fit; version 1 knew neither parts nor names.

    Raises ValueError for a file that is broken, foreign or of a newer version.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"load: there is no file {path}.")
    try:
        found = _files.read_npz(path)
        about = json.loads(str(found.pop("about")))
        if about["format"] != FORMAT:
            raise ValueError(f"its format is {about['format']!r}")
        if about["version"] not in READ:
            raise ValueError(f"its version is {about['version']!r}, this jaxreg reads {READ}; update jaxreg")
        ids, names = tuple(about["ids"]), about.get("names")
        parts = {name.removeprefix(PART): found.pop(name) for name in list(found) if name.startswith(PART)}
        _check(found, ids)
        _check_parts(parts, names, found["coef"].shape[-1])
        loss = _built(about["loss"])
    except _files.BROKEN as error:
        raise ValueError(f"load: {path} is no file of FittedTasks.save that can be read: {error}.") from error
    return {**found, "parts": parts, "ids": ids, "names": names and tuple(names), "loss": loss}


def _check(found: dict[str, np.ndarray], ids: tuple[Any, ...]) -> None:
    if sorted(found) != sorted(ARRAYS):
        raise ValueError(f"it holds {sorted(found)}, expected {sorted(ARRAYS)}")
    tasks, features = len(ids), found["coef"].shape[-1] if found["coef"].ndim else 0
    shapes: dict[str, tuple[int, ...]] = {
        "coef": (tasks, features),
        "intercept": (tasks,),
        "center": (features,),
        "scale": (features,),
        "counts": (tasks,),
        "gap": (),
        "status": (),
    }
    for name, shape in shapes.items():
        if found[name].shape != shape or found[name].dtype.kind not in "fiu":
            raise ValueError(f"{name} is {found[name].dtype} of shape {found[name].shape}, expected numbers {shape}")
    if len(set(ids)) != tasks:
        raise ValueError("its task ids repeat")


def _check_parts(parts: dict[str, np.ndarray], names: Any, features: int) -> None:
    for name, part in parts.items():
        if part.dtype.kind != "f" or part.ndim not in (1, 2):
            raise ValueError(f"its part {name} is {part.dtype} of shape {part.shape}, expected one or two axes")
    if names is not None and not (len(set(names)) == len(names) == features and all(isinstance(n, str) for n in names)):
        raise ValueError(f"it has {len(names)} names, expected {features} distinct ones")


def _described(loss: Loss) -> Any:
    """A named loss as its name and numbers; several of them as a list."""
    if isinstance(loss, PerTask):
        return [_described(loss.losses[k]) for k in loss.kinds]
    name = type(loss).__name__
    if getattr(losses, name, None) is not type(loss) or name == "Plain":
        raise TypeError(f"save: {loss!r} is not one of jaxreg's named losses, which alone are kept in a file.")
    values = {f.name: getattr(loss, f.name) for f in dataclasses.fields(loss)}  # type: ignore[arg-type]
    plain = {k: v if isinstance(v, str | bool) else np.asarray(v).item() for k, v in values.items()}
    return {"name": name, "values": plain}


def _built(described: Any) -> Loss:
    if isinstance(described, list):
        return per_task([_built(one) for one in described])
    kind = getattr(losses, described["name"], None) if described["name"] in losses.__all__ else None
    if not (isinstance(kind, type) and issubclass(kind, Loss)):
        raise ValueError(f"its loss {described['name']!r} is unknown")
    return kind(**described["values"])
