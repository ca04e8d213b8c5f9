"""Penalties: frozen pytrees with a value and a proximal map, and their calculus."""

from jaxreg.penalties._base import Leafwise, Penalty
from jaxreg.penalties._coupling import ToMean
from jaxreg.penalties._elementwise import L1, Box, NonNegative, Ridge
from jaxreg.penalties._group import L2
from jaxreg.penalties._spectral import Nuclear

__all__ = ["L1", "L2", "Box", "Leafwise", "NonNegative", "Nuclear", "Penalty", "Ridge", "ToMean"]
