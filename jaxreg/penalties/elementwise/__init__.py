"""Penalties that act coordinate by coordinate."""

from jaxreg.penalties.elementwise.asymmetric_l1 import AsymmetricL1
from jaxreg.penalties.elementwise.l0 import L0
from jaxreg.penalties.elementwise.l1 import L1
from jaxreg.penalties.elementwise.log_sum import LogSum
from jaxreg.penalties.elementwise.lq import Lq
from jaxreg.penalties.elementwise.mcp import MCP
from jaxreg.penalties.elementwise.ridge import Ridge
from jaxreg.penalties.elementwise.scad import SCAD
from jaxreg.penalties.elementwise.smooth_l1 import SmoothL1

__all__ = ["L0", "L1", "MCP", "SCAD", "AsymmetricL1", "LogSum", "Lq", "Ridge", "SmoothL1"]
