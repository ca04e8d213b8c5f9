"""Model selection."""

from jaxreg.selection.adaptive import adaptive_strengths
from jaxreg.selection.cross_validate import CrossValidation, cross_validate
from jaxreg.selection.cross_validate_fit import cross_validate_fit
from jaxreg.selection.folds import kfold
from jaxreg.selection.grid import CrossValidationGrid, cross_validate_grid
from jaxreg.selection.group_tasks import group_tasks
from jaxreg.selection.tune import Tuned, tune

__all__ = [
    "CrossValidation",
    "CrossValidationGrid",
    "Tuned",
    "adaptive_strengths",
    "cross_validate",
    "cross_validate_fit",
    "cross_validate_grid",
    "group_tasks",
    "kfold",
    "tune",
]
