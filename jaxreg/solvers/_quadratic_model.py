"""The quadratic model of a generalised linear risk as weighted least squares, minimised with any convex penalties."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxreg._typing import Array, PyTree
from jaxreg.penalties import Penalty
from jaxreg.risk import with_squares
from jaxreg.solvers._loop import run_with_duals
from jaxreg.solvers._problem import Smooth
from jaxreg.solvers._reduce import coefficients, least_squares
from jaxreg.solvers._saddle import saddle
from jaxreg.solvers._terms import Dual
from jaxreg.solvers.anderson import AndersonSplitting
from jaxreg.solvers.newton import Newton

_STEPS = 2000
_LARGEST = 512


def is_modelled(f: Smooth, g: Penalty, params: PyTree) -> bool:
    """Whether a risk of one number per row has a quadratic model that is solved with the proxes of the penalty."""
    loss, y = f.risk.loss, f.data[1]
    curved = loss.separable and loss.dual and y.ndim == f.rows.ndim
    return curved and is_split(f, g, params)


def is_split(f: Smooth, g: Penalty, params: PyTree) -> bool:
    """Whether a linear model has coefficients that stand alone and a convex penalty whose blocks have a prox each."""
    if not (f.is_linear and f.risk.loss.smooth and g.convex) or coefficients(f, g, params) is None:
        return False
    return saddle(f, g, params).is_whole


def is_small_model(f: Smooth) -> bool:
    """Whether the smaller side of the features is cheap to decompose."""
    return min(f.data[0].shape[-2:]) <= _LARGEST


def bent(f: Smooth, predictions: Array) -> tuple[Array, Array]:
    """First and second derivatives of f in the predictions."""
    slopes, bends = jax.jvp(jax.grad(f.value_at), (predictions,), (jnp.ones_like(predictions),))
    return slopes, jnp.maximum(bends, 0.0)


def flattest(dtype: Any) -> float:
    """The least second derivative of a row, relative to the most."""
    return 1e-5 if dtype == jnp.float64 else 1e-2


def quadratic(f: Smooth, predictions: Array, least: Array) -> Smooth:
    """½ Σ b (z + d - s/b)², which has f's slopes s and second derivatives b at predictions z.

    Second derivatives below `least` of the most are raised: what a row that is not bent asks for is infinitely far.
    """
    slopes, bends = bent(f, predictions)
    own = bends / jnp.where(f.rows > 0, f.rows, 1.0)
    most = jnp.max(own) if f.risk.loss.curvature is None else jnp.max(jnp.asarray(f.risk.loss.curvature))
    bends = jnp.maximum(bends, least * most * f.rows)
    target = predictions - jnp.where(bends > 0, slopes / jnp.where(bends > 0, bends, 1.0), 0.0)
    return Smooth(with_squares(f.risk), (f.data[0], target), bends, jnp.zeros((), bends.dtype))


def model_minimiser(
    f: Smooth, g: Penalty, params: PyTree, predictions: Array, value: Array, tol: Array, least: Array
) -> tuple[PyTree, tuple[Dual, ...]]:
    """What minimises the quadratic model plus g, to a gap of `tol` of the objective's `value`, and duals of blocks."""
    reduced = least_squares(quadratic(f, predictions, least), g, params)
    assert reduced is not None
    tied = isinstance(reduced.init, dict) or (f.is_multitask and not reduced.g.elementwise)
    split = tied or reduced.g.bounded or saddle(f, g, params).terms
    solver = AndersonSplitting() if split else Newton()
    scale = jnp.maximum(jnp.abs(value), jnp.finfo(value.dtype).tiny)
    fit, duals = run_with_duals(reduced.f, reduced.g, solver, reduced.init, tol, _STEPS, scale)
    return reduced.restore(fit.params), duals
