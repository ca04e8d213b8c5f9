"""Model selection."""

from jaxreg.selection.cross_validate import CrossValidation, cross_validate
from jaxreg.selection.folds import kfold

__all__ = ["CrossValidation", "cross_validate", "kfold"]
