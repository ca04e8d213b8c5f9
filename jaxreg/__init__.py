"""jaxreg: regularised and multi-task learning in JAX, with exact zeros and a certificate."""

from jaxreg import stochastic
from jaxreg._cache import enable_compilation_cache
from jaxreg._pytree import pytree, static
from jaxreg._validate import ConvergenceWarning, PrecisionWarning
from jaxreg._version import __version__
from jaxreg.losses import (
    Absolute,
    Cox,
    EpsilonInsensitive,
    Gamma,
    Hinge,
    Huber,
    Logistic,
    Loss,
    NegativeBinomial,
    Ordinal,
    Poisson,
    Quantile,
    SmoothHinge,
    Softmax,
    Squared,
    SquaredHinge,
    Tweedie,
    label_smoothing,
    offset,
)
from jaxreg.moments import Moments, moments
from jaxreg.paths import Path, path, strength_max
from jaxreg.penalties import L1, L2, Box, Leafwise, NonNegative, Nuclear, Penalty, Ridge, ToMean
from jaxreg.risk import linear, linear_params, multitask, ordinal, risk
from jaxreg.selection import CrossValidation, cross_validate, kfold
from jaxreg.solvers import FISTA, Newton, Optax, Solution, Status, minimize
from jaxreg.tasks import Tasks, tasks
from jaxreg.transforms import proximal

__all__ = [
    # objectives
    "risk",
    "linear",
    "linear_params",
    "multitask",
    "ordinal",
    # losses
    "Loss",
    "Squared",
    "Huber",
    "Logistic",
    "Softmax",
    "Poisson",
    "Absolute",
    "Quantile",
    "EpsilonInsensitive",
    "Hinge",
    "SquaredHinge",
    "SmoothHinge",
    "Gamma",
    "Tweedie",
    "NegativeBinomial",
    "Ordinal",
    "Cox",
    "offset",
    "label_smoothing",
    # penalties
    "Penalty",
    "Leafwise",
    "L1",
    "Ridge",
    "L2",
    "Nuclear",
    "NonNegative",
    "Box",
    "ToMean",
    # fits
    "minimize",
    "Solution",
    "Status",
    "FISTA",
    "Newton",
    "Optax",
    # paths and selection
    "strength_max",
    "path",
    "Path",
    "kfold",
    "cross_validate",
    "CrossValidation",
    # data
    "moments",
    "Moments",
    "tasks",
    "Tasks",
    # optax links
    "proximal",
    # stochastic regularisation
    "stochastic",
    # making one's own
    "pytree",
    "static",
    # house
    "enable_compilation_cache",
    "ConvergenceWarning",
    "PrecisionWarning",
    "__version__",
]
