"""Penalties that couple tasks along an axis."""

from jaxreg.penalties.coupling.tomean import ToMean

__all__ = ["ToMean"]
