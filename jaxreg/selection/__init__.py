"""Model selection."""

from jaxreg.selection.cross_validate import CrossValidation, cross_validate
from jaxreg.selection.folds import kfold
from jaxreg.selection.grid import CrossValidationGrid, cross_validate_grid

__all__ = ["CrossValidation", "CrossValidationGrid", "cross_validate", "cross_validate_grid", "kfold"]
