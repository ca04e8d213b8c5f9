"""jaxreg: regularised and multi-task learning in JAX, with exact zeros and a certificate."""

from jaxreg._cache import enable_compilation_cache
from jaxreg._pytree import pytree, static
from jaxreg._validate import ConvergenceWarning, PrecisionWarning
from jaxreg._version import __version__
from jaxreg.losses import Huber, Logistic, Loss, Poisson, Softmax, Squared
from jaxreg.moments import Moments, moments
from jaxreg.paths import Path, path, strength_max
from jaxreg.penalties import (
    L1,
    L2,
    PSD,
    Box,
    Chain,
    Clustered,
    Graph,
    Leafwise,
    NonNegative,
    Nuclear,
    NuclearBall,
    Penalty,
    Rank,
    RankBall,
    Ridge,
    SpectralBall,
    SpectralNorm,
    ToMean,
    WeightedNuclear,
)
from jaxreg.risk import linear, linear_params, multitask, risk
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
    "WeightedNuclear",
    "SpectralNorm",
    "Rank",
    "NuclearBall",
    "SpectralBall",
    "RankBall",
    "PSD",
    "Graph",
    "Chain",
    "Clustered",
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
    # making one's own
    "pytree",
    "static",
    # house
    "enable_compilation_cache",
    "ConvergenceWarning",
    "PrecisionWarning",
    "__version__",
]
