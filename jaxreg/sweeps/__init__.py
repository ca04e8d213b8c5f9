"""Sweeps: one function over every combination of axes, in batches, over devices, resumable."""

from jaxreg.sweeps.sweep import Sweep, sweep

__all__ = ["Sweep", "sweep"]
