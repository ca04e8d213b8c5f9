"""What the laws need to know of a penalty: sample parameters and an oracle that shares no code with the library."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import jaxreg as jr

VECTOR, MATRIX, SQUARE = (6,), (3, 4), (4, 4)
LINEAR_TREE = {"coef": (6,), "intercept": ()}
DIRTY_TREE = {"common": (3, 4), "own": (3, 4)}
PER_FEATURE = np.array([0.0, 0.5, 1.0, 2.0])
PER_ENTRY = np.array([0.0, 0.5, 1.0, 2.0, np.inf, 0.1])
PER_TASK = np.array([[0.0], [0.7], [1.5]])
CENTRE = np.array([0.5, -1.0, 0.0, 2.0, -0.25, 1.0])


class Member(NamedTuple):
    """A penalty and the form of what it penalises: a shape, or a dictionary of shapes.

    Its oracle is `cvx(z) -> (g, constraints)` in cvxpy, or `slow(x, step) -> prox` in NumPy; a tree needs none.
    `sized` says that the penalty is made for this shape alone.
    """

    name: str
    penalty: jr.Penalty
    form: Any
    cvx: Callable[[Any], tuple[Any, list[Any]]] | None = None
    slow: Callable[[np.ndarray, Any], np.ndarray] | None = None
    sized: bool = False
