"""jaxreg: regularised and multi-task learning in JAX, with exact zeros and a certificate."""

from jaxreg._cache import enable_compilation_cache
from jaxreg._pytree import pytree, static
from jaxreg._validate import ConvergenceWarning, PrecisionWarning
from jaxreg._version import __version__
from jaxreg.losses import Huber, Logistic, Loss, Poisson, Softmax, Squared
from jaxreg.moments import Moments, moments
from jaxreg.paths import Path, path, strength_max
from jaxreg.penalties import (
    L0,
    L1,
    L2,
    MCP,
    SCAD,
    TV1D,
    TV2D,
    Affine,
    AsymmetricL1,
    Box,
    Conjugate,
    Distance,
    Envelope,
    GraphTV,
    Halfspace,
    Hyperplane,
    L0Ball,
    L1Ball,
    L2Ball,
    Leafwise,
    LInfBall,
    LogSum,
    Lq,
    Monotone,
    NonNegative,
    Nuclear,
    Penalty,
    Ridge,
    SecondOrderCone,
    Simplex,
    SmoothL1,
    SquaredDistance,
    ToMean,
    TrendFilter,
)
from jaxreg.risk import linear, linear_params, multitask, risk
from jaxreg.selection import CrossValidation, cross_validate, kfold
from jaxreg.solvers import FISTA, DampedNewton, Newton, Optax, Solution, Status, minimize
from jaxreg.tasks import Tasks, tasks
from jaxreg.transforms import proximal

__all__ = [
    # objectives
    "risk",
    "linear",
    "linear_params",
    "multitask",
    # losses
    "Loss",
    "Squared",
    "Huber",
    "Logistic",
    "Softmax",
    "Poisson",
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
    "SmoothL1",
    "AsymmetricL1",
    "L0",
    "Lq",
    "MCP",
    "SCAD",
    "LogSum",
    "TV1D",
    "TrendFilter",
    "GraphTV",
    "TV2D",
    "Conjugate",
    "Envelope",
    "Distance",
    "SquaredDistance",
    "Simplex",
    "L1Ball",
    "L2Ball",
    "LInfBall",
    "L0Ball",
    "Hyperplane",
    "Halfspace",
    "Affine",
    "Monotone",
    "SecondOrderCone",
    # fits
    "minimize",
    "Solution",
    "Status",
    "FISTA",
    "Newton",
    "DampedNewton",
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
    # making one's own
    "pytree",
    "static",
    # house
    "enable_compilation_cache",
    "ConvergenceWarning",
    "PrecisionWarning",
    "__version__",
]
