"""Penalties that couple tasks along an axis."""

from jaxreg.penalties.coupling.chain import Chain
from jaxreg.penalties.coupling.clustered import Clustered
from jaxreg.penalties.coupling.graph import Graph
from jaxreg.penalties.coupling.relation import Relation, learn_relation
from jaxreg.penalties.coupling.tomean import ToMean

__all__ = ["Chain", "Clustered", "Graph", "Relation", "ToMean", "learn_relation"]
