"""Penalties: frozen pytrees with a value and a proximal map, and their calculus."""

from jaxreg.penalties._base import Leafwise, Penalty
from jaxreg.penalties.coupling import Chain, Clustered, Graph, ToMean
from jaxreg.penalties.elementwise import L1, Ridge
from jaxreg.penalties.groups import L2
from jaxreg.penalties.sets import Box, NonNegative
from jaxreg.penalties.spectral import (
    PSD,
    Nuclear,
    NuclearBall,
    Rank,
    RankBall,
    SpectralBall,
    SpectralNorm,
    WeightedNuclear,
)

__all__ = [
    "L1",
    "L2",
    "PSD",
    "Box",
    "Chain",
    "Clustered",
    "Graph",
    "Leafwise",
    "NonNegative",
    "Nuclear",
    "NuclearBall",
    "Penalty",
    "Rank",
    "RankBall",
    "Ridge",
    "SpectralBall",
    "SpectralNorm",
    "ToMean",
    "WeightedNuclear",
]
