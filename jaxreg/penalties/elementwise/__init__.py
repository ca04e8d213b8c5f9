"""Penalties that act coordinate by coordinate."""

from jaxreg.penalties.elementwise.l1 import L1
from jaxreg.penalties.elementwise.ridge import Ridge

__all__ = ["L1", "Ridge"]
