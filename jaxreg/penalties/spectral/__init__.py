"""Penalties on singular values."""

from jaxreg.penalties.spectral.nuclear import Nuclear

__all__ = ["Nuclear"]
