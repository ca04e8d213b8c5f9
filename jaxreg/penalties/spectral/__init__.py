"""Penalties and sets on singular values and eigenvalues."""

from jaxreg.penalties.spectral.largest import SpectralBall, SpectralNorm
from jaxreg.penalties.spectral.nuclear import Nuclear, WeightedNuclear
from jaxreg.penalties.spectral.nuclearball import NuclearBall
from jaxreg.penalties.spectral.psd import PSD
from jaxreg.penalties.spectral.rank import Rank, RankBall
from jaxreg.penalties.spectral.squared import ClusterNorm, SquaredNuclear

__all__ = [
    "PSD",
    "ClusterNorm",
    "Nuclear",
    "NuclearBall",
    "Rank",
    "RankBall",
    "SpectralBall",
    "SpectralNorm",
    "SquaredNuclear",
    "WeightedNuclear",
]
