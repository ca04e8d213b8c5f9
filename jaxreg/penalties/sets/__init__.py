"""Sets: penalties that are 0 inside and infinite outside; a strength does not change them."""

from jaxreg.penalties.sets.box import Box
from jaxreg.penalties.sets.nonnegative import NonNegative

__all__ = ["Box", "NonNegative"]
