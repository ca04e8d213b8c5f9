"""Members that are sets."""

import numpy as np

import jaxreg as jr
from members._member import VECTOR, Member

MEMBERS = (
    Member("nonnegative", jr.NonNegative(), VECTOR, lambda z: (0, [z >= 0])),
    Member("box", jr.Box(-1.0, 0.5), VECTOR, lambda z: (0, [z >= -1.0, z <= 0.5])),
    Member(
        "box-arrays",
        jr.Box(-np.arange(6.0), np.arange(6.0) / 2),
        VECTOR,
        lambda z: (0, [z >= -np.arange(6.0), z <= np.arange(6.0) / 2]),
    ),
)
