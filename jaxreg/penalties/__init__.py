"""Penalties: frozen pytrees with a value and a proximal map, and their calculus."""

from jaxreg.penalties._base import Leafwise, Penalty
from jaxreg.penalties.coupling import ToMean
from jaxreg.penalties.elementwise import L0, L1, MCP, SCAD, AsymmetricL1, LogSum, Lq, Ridge, SmoothL1
from jaxreg.penalties.groups import L2
from jaxreg.penalties.sets import Box, NonNegative
from jaxreg.penalties.spectral import Nuclear

__all__ = [
    "L0",
    "L1",
    "L2",
    "MCP",
    "SCAD",
    "AsymmetricL1",
    "Box",
    "Leafwise",
    "LogSum",
    "Lq",
    "NonNegative",
    "Nuclear",
    "Penalty",
    "Ridge",
    "SmoothL1",
    "ToMean",
]
