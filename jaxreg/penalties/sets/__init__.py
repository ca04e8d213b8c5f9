"""Sets: penalties that are 0 inside and infinite outside; a strength does not change them.

A set that no rounded projection could meet exactly forgives what rounding explains; each says how much. Projections
leave members as they are.
"""

from jaxreg.penalties.sets.affine import Affine
from jaxreg.penalties.sets.box import Box
from jaxreg.penalties.sets.hyperplane import Halfspace, Hyperplane
from jaxreg.penalties.sets.l0ball import L0Ball
from jaxreg.penalties.sets.l1ball import L1Ball
from jaxreg.penalties.sets.l2ball import L2Ball
from jaxreg.penalties.sets.linfball import LInfBall
from jaxreg.penalties.sets.monotone import Monotone
from jaxreg.penalties.sets.nonnegative import NonNegative
from jaxreg.penalties.sets.secondordercone import SecondOrderCone
from jaxreg.penalties.sets.simplex import Simplex

__all__ = [
    "Affine",
    "Box",
    "Halfspace",
    "Hyperplane",
    "L0Ball",
    "L1Ball",
    "L2Ball",
    "LInfBall",
    "Monotone",
    "NonNegative",
    "SecondOrderCone",
    "Simplex",
]
