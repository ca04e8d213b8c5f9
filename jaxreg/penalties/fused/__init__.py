"""Penalties on differences between entries."""

from jaxreg.penalties.fused.tv1d import TV1D

__all__ = ["TV1D"]
