"""Penalties: frozen pytrees with a value and a proximal map, and their calculus."""

from jaxreg.penalties._base import Leafwise, Penalty
from jaxreg.penalties._composed import Composed
from jaxreg.penalties._conjugate import Conjugate
from jaxreg.penalties._distance import Distance, SquaredDistance
from jaxreg.penalties._envelope import Envelope
from jaxreg.penalties.coupling import Chain, Clustered, Graph, ToMean
from jaxreg.penalties.elementwise import L0, L1, MCP, SCAD, AsymmetricL1, LogSum, Lq, Ridge, SmoothL1
from jaxreg.penalties.fused import TV1D, TV2D, GraphTV, TrendFilter
from jaxreg.penalties.groups import L2, SLOPE, Exclusive, GroupL2, GroupMCP, GroupSCAD, KSupport, LInf
from jaxreg.penalties.sets import (
    Affine,
    Box,
    Halfspace,
    Hyperplane,
    L0Ball,
    L1Ball,
    L2Ball,
    LInfBall,
    Monotone,
    NonNegative,
    SecondOrderCone,
    Simplex,
)
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
    "L0",
    "L1",
    "L2",
    "MCP",
    "PSD",
    "SCAD",
    "SLOPE",
    "TV1D",
    "TV2D",
    "Affine",
    "AsymmetricL1",
    "Box",
    "Chain",
    "Clustered",
    "Composed",
    "Conjugate",
    "Distance",
    "Envelope",
    "Exclusive",
    "Graph",
    "GraphTV",
    "GroupL2",
    "GroupMCP",
    "GroupSCAD",
    "Halfspace",
    "Hyperplane",
    "KSupport",
    "L0Ball",
    "L1Ball",
    "L2Ball",
    "LInf",
    "LInfBall",
    "Leafwise",
    "LogSum",
    "Lq",
    "Monotone",
    "NonNegative",
    "Nuclear",
    "NuclearBall",
    "Penalty",
    "Rank",
    "RankBall",
    "Ridge",
    "SecondOrderCone",
    "Simplex",
    "SmoothL1",
    "SpectralBall",
    "SpectralNorm",
    "SquaredDistance",
    "ToMean",
    "TrendFilter",
    "WeightedNuclear",
]
