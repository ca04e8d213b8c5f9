"""Regularisation paths."""

from jaxreg.paths._grid import strength_max
from jaxreg.paths.path import Path, path

__all__ = ["Path", "path", "strength_max"]
