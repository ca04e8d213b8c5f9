"""Penalties on groups of entries."""

from jaxreg.penalties.groups.concave import GroupMCP, GroupSCAD
from jaxreg.penalties.groups.l2 import L2

__all__ = ["L2", "GroupMCP", "GroupSCAD"]
