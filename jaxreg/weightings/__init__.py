"""Weightings: from the Gramian of the task gradients to one weight per task.

Each is a frozen pytree and a pure function, (gramian (T, T), losses=None, key=None) -> weights (T,), that goes through
jit and vmap; those with memory have `init(T)` and `update(gramian, state, losses, key)`. `jaxreg.aggregate` and
`jaxreg.weighted_gradient` apply them to the parameters that tasks share.
"""

from jaxreg.weightings._base import Rowwise, Stateful, Weighting
from jaxreg.weightings.alignedmtl import AlignedMTL
from jaxreg.weightings.autolambda import AutoLambda
from jaxreg.weightings.cagrad import CAGrad
from jaxreg.weightings.config import ConFIG
from jaxreg.weightings.dbmtl import DBMTL
from jaxreg.weightings.dualproj import DualProj
from jaxreg.weightings.dynamicaverage import DynamicAverage
from jaxreg.weightings.equal import Equal
from jaxreg.weightings.excessmtl import ExcessMTL
from jaxreg.weightings.fairgrad import FairGrad
from jaxreg.weightings.famo import FAMO
from jaxreg.weightings.graddrop import GradDrop
from jaxreg.weightings.gradnorm import GradNorm
from jaxreg.weightings.gradvac import GradVac
from jaxreg.weightings.imtlg import IMTLG
from jaxreg.weightings.imtll import IMTLL
from jaxreg.weightings.krum import Krum
from jaxreg.weightings.logsum import LogSum
from jaxreg.weightings.mgda import MGDA
from jaxreg.weightings.moco import MoCo
from jaxreg.weightings.nashmtl import NashMTL
from jaxreg.weightings.pcgrad import PCGrad
from jaxreg.weightings.randomloss import RandomLoss
from jaxreg.weightings.sdmgrad import SDMGrad
from jaxreg.weightings.stch import STCH
from jaxreg.weightings.trimmedmean import TrimmedMean
from jaxreg.weightings.uncertainty import Uncertainty
from jaxreg.weightings.upgrad import UPGrad

__all__ = [
    "DBMTL",
    "FAMO",
    "IMTLG",
    "IMTLL",
    "MGDA",
    "STCH",
    "AlignedMTL",
    "AutoLambda",
    "CAGrad",
    "ConFIG",
    "DualProj",
    "DynamicAverage",
    "Equal",
    "ExcessMTL",
    "FairGrad",
    "GradDrop",
    "GradNorm",
    "GradVac",
    "Krum",
    "LogSum",
    "MoCo",
    "NashMTL",
    "PCGrad",
    "RandomLoss",
    "Rowwise",
    "SDMGrad",
    "Stateful",
    "TrimmedMean",
    "UPGrad",
    "Uncertainty",
    "Weighting",
]
