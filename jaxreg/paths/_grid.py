"""Where a path begins and how its strengths are spaced."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg import _tree, _validate
from jaxreg._typing import Array, PyTree
from jaxreg.penalties import Leafwise, Penalty
from jaxreg.solvers._descent import first_step
from jaxreg.solvers._loop import Solver
from jaxreg.solvers._problem import Smooth
from jaxreg.solvers.minimize import solve

_SMOOTH_TOP, _SMOOTH_RATIO = 10.0, 1e-6
_ROOM = 8
"""How many units of rounding a path begins above its largest strength, so that rounding lets nothing in there."""


def is_gauge(penalty: Penalty, init: PyTree) -> bool:
    """Whether every penalised leaf has a dual norm, if only across what it leaves unpenalised."""
    parts = penalty.parts(_tree.names(init)) if isinstance(penalty, Leafwise) else ()
    acting = [p for p in parts if p is not None]
    return bool(acting) and all(p.gauge or p.seminorm for p in acting)


def top_strength(f: Smooth, penalty: Penalty, solver: Solver, init: PyTree) -> Array:
    """The dual norm of the negative gradient at the null model, fitted with infinite strength."""
    dtype = _tree.dtype(init)
    excluding = jnp.asarray(jnp.inf, dtype) * penalty
    null = solve(f, excluding, solver, _tree.zeros_like(init), jnp.asarray(1e-10, dtype), 2000).params
    pull = jax.tree.map(jnp.negative, jax.grad(f)(null))
    return penalty.dual(_tree.sub(pull, excluding.prox(pull, 1.0)))


def check_strengths(where: str, strengths: Any, dtype: Any) -> Array:
    """Strengths in descending order. Raises ValueError unless they are numbers >= 0 on one axis."""
    made = _validate.array(where, "strengths", strengths).astype(dtype)
    if made.ndim != 1 or made.size == 0:
        raise ValueError(f"{where}: strengths have shape {made.shape}, expected (L,) with L >= 1.")
    if not _validate.traced(made) and not np.all(np.asarray(made) >= 0):
        raise ValueError(f"{where}: strengths must be >= 0, the smallest given is {np.min(np.asarray(made))}.")
    return -jnp.sort(-made)


def spaced(top: Array, num: int, ratio: float) -> Array:
    """`num` strengths from just above top down to top * ratio, evenly on a log scale."""
    fractions = np.geomspace(1.0, ratio, num)
    fractions[0] += _ROOM * float(jnp.finfo(top.dtype).eps)
    return top * jnp.asarray(fractions, top.dtype)


def smooth_grid(f: Smooth, init: PyTree) -> Array:
    """The top for a penalty that excludes nothing: ten times the risk's curvature shrinks every direction by 90 %."""
    return _SMOOTH_TOP / first_step(f, init)


def default_ratio(gauge: bool, ratio: float | None) -> float:
    """1e-2 below the largest strength of a gauge, 1e-6 for smooth penalties, which need more decades."""
    if ratio is not None:
        return ratio
    return 1e-2 if gauge else _SMOOTH_RATIO
