"""Weightings: from the Gramian of the task gradients to one weight per task.

Each is a frozen pytree and a pure function, (gramian (T, T), losses=None, key=None) -> weights (T,), that goes through
jit and vmap; those with memory have `init(T)` and `update(gramian, state, losses, key)`. `jaxreg.aggregate` and
`jaxreg.weighted_gradient` apply them to the parameters that tasks share.
"""

from jaxreg.weightings._base import Rowwise, Stateful, Weighting
from jaxreg.weightings.dualproj import DualProj
from jaxreg.weightings.equal import Equal
from jaxreg.weightings.mgda import MGDA
from jaxreg.weightings.upgrad import UPGrad

__all__ = [
    "MGDA",
    "DualProj",
    "Equal",
    "Rowwise",
    "Stateful",
    "UPGrad",
    "Weighting",
]
