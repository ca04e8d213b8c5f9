"""Penalties: frozen pytrees with a value and a proximal map, and their calculus."""

from jaxreg.penalties._base import Leafwise, Penalty
from jaxreg.penalties._composed import Composed
from jaxreg.penalties.coupling import ToMean
from jaxreg.penalties.elementwise import L1, Ridge
from jaxreg.penalties.groups import L2
from jaxreg.penalties.sets import Box, NonNegative
from jaxreg.penalties.spectral import Nuclear

__all__ = ["L1", "L2", "Box", "Composed", "Leafwise", "NonNegative", "Nuclear", "Penalty", "Ridge", "ToMean"]
