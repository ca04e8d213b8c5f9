"""Penalties and sets on singular values and eigenvalues."""

from jaxreg.penalties.spectral.largest import SpectralBall, SpectralNorm
from jaxreg.penalties.spectral.nuclear import Nuclear, WeightedNuclear
from jaxreg.penalties.spectral.nuclearball import NuclearBall
from jaxreg.penalties.spectral.psd import PSD
from jaxreg.penalties.spectral.rank import Rank, RankBall

__all__ = ["PSD", "Nuclear", "NuclearBall", "Rank", "RankBall", "SpectralBall", "SpectralNorm", "WeightedNuclear"]
