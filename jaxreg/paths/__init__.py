"""Regularisation paths."""

from jaxreg.paths.path import Path, path
from jaxreg.paths.strength_max import strength_max

__all__ = ["Path", "path", "strength_max"]
