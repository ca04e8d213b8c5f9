"""The players of paths and cross-validations: jaxreg and the rivals that are installed, each in a file of its own."""

from __future__ import annotations

import importlib
import importlib.metadata
import warnings

from bench.players._player import CPUS, Measured, NotSupportedError, Player

_LIBRARIES = {
    "scikit-learn": "_sklearn",
    "celer": "_celer",
    "skglm": "_skglm",
    "python-glmnet": "_glmnet",
    "glum": "_glum",
    "jaxopt": "_jaxopt",
}

__all__ = ["CPUS", "Measured", "NotSupportedError", "Player", "players"]


def players(adelie: str | None = None) -> tuple[list[Player], list[str]]:
    """jaxreg first, then rivals; and why others are missing. `adelie` is a Python that has it, with its older NumPy."""
    found, missing = list(_make("_jaxreg", "jaxreg")), []
    for library, module in _LIBRARIES.items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # jaxopt announces its end, others their dependencies'
                found += _make(module, library)
        except ImportError:
            missing.append(f"{library} is not installed")
    try:
        found += importlib.import_module("bench.players._adelie").make(adelie)
    except ImportError as error:
        missing.append(str(error))
    return found, missing


def _make(module: str, library: str) -> list[Player]:
    """A file's `make(version)` gives one player per solver of the library."""
    return importlib.import_module(f"bench.players.{module}").make(importlib.metadata.version(library))
