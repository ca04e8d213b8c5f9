"""Penalties on groups of entries."""

from jaxreg.penalties.groups.concave import GroupMCP, GroupSCAD
from jaxreg.penalties.groups.exclusive import Exclusive
from jaxreg.penalties.groups.groupl2 import GroupL2
from jaxreg.penalties.groups.ksupport import KSupport
from jaxreg.penalties.groups.l2 import L2
from jaxreg.penalties.groups.latentgroupl2 import LatentGroupL2
from jaxreg.penalties.groups.linf import LInf
from jaxreg.penalties.groups.slope import SLOPE
from jaxreg.penalties.groups.squaredl2 import SquaredL2
from jaxreg.penalties.groups.treel2 import TreeL2

__all__ = [
    "L2",
    "SLOPE",
    "Exclusive",
    "GroupL2",
    "GroupMCP",
    "GroupSCAD",
    "KSupport",
    "LInf",
    "LatentGroupL2",
    "SquaredL2",
    "TreeL2",
]
