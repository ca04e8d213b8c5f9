"""Losses: (prediction, target) to one number per example, with the curvature, conjugate and prox that solvers need.

Every loss is a frozen pytree and a pure function. With predictions of shape (n,) or (n, k) and targets of the same
shape (class labels of shape (n,) for `Softmax`) it returns shape (n,); several outputs are summed. A plain function of
the same signature may stand wherever a loss is expected; it merely states no bound.
"""

from jaxreg.losses._base import Loss
from jaxreg.losses.absolute import Absolute
from jaxreg.losses.cox import Cox
from jaxreg.losses.epsilon_insensitive import EpsilonInsensitive
from jaxreg.losses.gamma import Gamma
from jaxreg.losses.hinge import Hinge
from jaxreg.losses.huber import Huber
from jaxreg.losses.label_smoothing import label_smoothing
from jaxreg.losses.logistic import Logistic
from jaxreg.losses.negative_binomial import NegativeBinomial
from jaxreg.losses.offset import offset
from jaxreg.losses.ordinal import Ordinal
from jaxreg.losses.per_task import per_task
from jaxreg.losses.plain import Plain
from jaxreg.losses.poisson import Poisson
from jaxreg.losses.quantile import Quantile
from jaxreg.losses.smooth_hinge import SmoothHinge
from jaxreg.losses.softmax import Softmax
from jaxreg.losses.squared import Squared
from jaxreg.losses.squared_hinge import SquaredHinge
from jaxreg.losses.tweedie import Tweedie

__all__ = [
    "Absolute",
    "Cox",
    "EpsilonInsensitive",
    "Gamma",
    "Hinge",
    "Huber",
    "Logistic",
    "Loss",
    "NegativeBinomial",
    "Ordinal",
    "Plain",
    "Poisson",
    "Quantile",
    "SmoothHinge",
    "Softmax",
    "Squared",
    "SquaredHinge",
    "Tweedie",
    "label_smoothing",
    "offset",
    "per_task",
]
