"""Penalties on groups of entries."""

from jaxreg.penalties.groups.groupl2 import GroupL2
from jaxreg.penalties.groups.l2 import L2
from jaxreg.penalties.groups.latentgroupl2 import LatentGroupL2
from jaxreg.penalties.groups.treel2 import TreeL2

__all__ = ["L2", "GroupL2", "LatentGroupL2", "TreeL2"]
