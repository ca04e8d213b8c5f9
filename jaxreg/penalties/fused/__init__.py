"""Penalties on differences between entries."""

from jaxreg.penalties.fused.graphtv import GraphTV
from jaxreg.penalties.fused.trendfilter import TrendFilter
from jaxreg.penalties.fused.tv1d import TV1D
from jaxreg.penalties.fused.tv2d import TV2D

__all__ = ["TV1D", "TV2D", "GraphTV", "TrendFilter"]
