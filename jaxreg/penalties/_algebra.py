"""The calculus of penalties: what strength * g, g + h, .on, .shift, .affine, .compose and .of build."""

from __future__ import annotations

from typing import Any

import jax

from jaxreg.penalties._affine import Stretch
from jaxreg.penalties._base import Penalty
from jaxreg.penalties._composed import Composed
from jaxreg.penalties._frame import Frame
from jaxreg.penalties._on import On
from jaxreg.penalties._scaled import Scaled
from jaxreg.penalties._shift import Shift
from jaxreg.penalties._sum import Sum, each


def scaled(strength: Any, penalty: Penalty) -> Penalty:
    """Strength * penalty; sums distribute. Strengths nest, so that numbers of every make have one structure."""
    if isinstance(strength, Penalty):
        raise TypeError("A penalty is multiplied by a strength (a number or array), not by a penalty.")
    return each(penalty, lambda term: Scaled(strength, term))


def added(left: Any, right: Any) -> Penalty:
    """Left + right, flattened; the number 0 is neutral, so that `sum` works."""
    if isinstance(left, (int, float)) and left == 0:
        return right
    if isinstance(right, (int, float)) and right == 0:
        return left
    if not (isinstance(left, Penalty) and isinstance(right, Penalty)):
        other = right if isinstance(left, Penalty) else left
        raise TypeError(f"A penalty adds to a penalty, not to {type(other).__name__}.")
    terms = [p.terms if isinstance(p, Sum) else (p,) for p in (left, right)]
    return Sum((*terms[0], *terms[1]))


def placed(glob: str, penalty: Penalty) -> Penalty:
    """The penalty on the leaves that match; sums distribute."""
    return each(penalty, lambda term: On(term, glob))


def shifted(centre: Any, penalty: Penalty) -> Penalty:
    """The penalty of x - centre; sums distribute."""
    return each(penalty, lambda term: Shift(term, centre))


def stretched(scale: Any, offset: Any, penalty: Penalty) -> Penalty:
    """The penalty of scale * x + offset, which is that of y - (-offset) at y = scale * x; sums distribute."""
    still = isinstance(offset, (int, float)) and offset == 0
    inner = penalty if still else shifted(jax.tree.map(lambda b: -b, offset), penalty)
    return each(inner, lambda term: Stretch(term, scale))


def turned(matrix: Any, penalty: Penalty) -> Penalty:
    """The penalty of A x with A Aᵀ = c I; sums distribute."""
    return each(penalty, lambda term: Frame(term, matrix))


def looking(operator: Any, axis: int, penalty: Penalty) -> Penalty:
    """The penalty of K x; sums distribute."""
    return each(penalty, lambda term: Composed(term, operator, axis))
