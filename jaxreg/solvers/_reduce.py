"""Exact reductions of linear problems: the intercept leaves by centring, tall least squares by its moments."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxreg import _tree
from jaxreg._linalg import einsum, matmul
from jaxreg._typing import Array, PyTree
from jaxreg.moments import Moments, moments
from jaxreg.penalties import Leafwise, Penalty
from jaxreg.risk import MultitaskRisk, Risk, axis_of, multitask, summed, thaw_axes
from jaxreg.solvers._certificate import Reference, reference
from jaxreg.solvers._problem import Smooth


class Reduced(NamedTuple):
    """An equivalent smaller problem, its start, and the way back to the user's parameters."""

    f: Smooth
    g: Penalty
    init: PyTree
    restore: Callable[[PyTree], PyTree]


class Coefficients(NamedTuple):
    """A linear model without its intercept: risk and penalty of the coefficients alone.

    They are one array, or a tree whose leaves are added.
    """

    risk: Risk | MultitaskRisk
    penalty: Penalty
    init: PyTree
    intercept: bool


def coefficients(f: Smooth, g: Penalty, params: PyTree) -> Coefficients | None:
    """The coefficients of a linear model with a free intercept in every task, or none; None for anything else."""
    found = coefficient_part(f, g, params)
    if found is not None:
        part, intercept = found
        return Coefficients(f.risk, part, params["coef"] if intercept else params, intercept)
    if not (f.is_linear and isinstance(g, Leafwise) and isinstance(params, dict)):
        return None
    intercept = "intercept" in params
    named = dict(zip(_tree.names(params), g.parts(_tree.names(params)), strict=True))
    axes = thaw_axes(f.risk.axes) if f.is_multitask else 0
    if intercept and (named["intercept"] is not None or axis_of(axes, "intercept") != 0):
        return None
    rest = {name: x for name, x in params.items() if name != "intercept"}
    if not f.is_multitask:
        return Coefficients(f.risk, g, rest, intercept)
    own = {name: axis_of(axes, name) for name in rest}
    return Coefficients(multitask(f.risk.risk, own, f.risk.task_weights), g, rest, intercept)


def coefficient_part(f: Smooth, g: Penalty, params: PyTree) -> tuple[Leafwise, bool] | None:
    """What penalises the coefficients of a linear model, and whether a free intercept stands beside them."""
    if not (f.is_linear and isinstance(g, Leafwise)) or (f.is_multitask and f.risk.axes != 0):
        return None
    names = _tree.names(params)
    parts = dict(zip(names, g.parts(names), strict=True))
    if names == ("",) and parts[""] is not None:
        return parts[""], False
    if set(names) == {"coef", "intercept"} and parts["intercept"] is None and parts["coef"] is not None:
        return parts["coef"], True
    return None


def least_squares(f: Smooth, g: Penalty, params: PyTree) -> Reduced | None:
    """Reduce squared loss with a linear model to its coefficients; None where that is not exact."""
    found = coefficients(f, g, params) if f.is_squared else None
    if found is None:
        return None
    risk, part, coef, intercept = found
    if is_tall(f):
        X, y = f.data
        take = jax.vmap(moments) if f.is_multitask else moments
        stats = take(X, y, f.rows)
        small = from_moments(risk, stats, jnp.sum(f.rows, -1), intercept)
        return Reduced(small, part, coef, restorer(stats.x_mean, stats.y_mean, intercept))
    if not intercept:
        return Reduced(f, part, coef, lambda w: w)
    x_mean, y_mean = centres(f)
    X, y = f.data
    data = (X - x_mean[..., None, :], y - jnp.expand_dims(y_mean, f.rows.ndim - 1))
    return Reduced(Smooth(risk, data, f.rows, f.constant), part, coef, restorer(x_mean, y_mean, True))


def centred(f: Smooth, g: Penalty, params: PyTree) -> tuple[Smooth, PyTree, Callable[[PyTree], PyTree]]:
    """The same problem with centred features, its start, and the way back: first-order steps need it.

    Nothing changes unless a linear model has a free intercept for every task and output.
    """
    found = coefficients(f, g, params)
    if found is None or not found.intercept:
        return f, params, lambda x: x
    X, y = f.data
    x_mean = centres(f)[0]
    outputs = params["intercept"].ndim + 1 - x_mean.ndim
    spec = "...p,...pk->...k" if outputs else "...p,...p->..."

    def moved(x: PyTree, sign: float) -> PyTree:
        return {**x, "intercept": x["intercept"] + sign * einsum(spec, x_mean, summed(x))}

    small = Smooth(f.risk, (X - x_mean[..., None, :], y), f.rows, f.constant)
    return small, moved(params, 1.0), lambda x: moved(x, -1.0)


def null_objective(f: Smooth, g: Penalty, params: PyTree) -> Array:
    """|f + g| at zero coefficients, the scale of the gap; a free intercept of least squares is at its own fit."""
    found = coefficients(f, g, params)
    if found is None or not found.intercept or not f.is_squared:
        return reference(f, g, params).objective
    y_mean = centres(f)[1]
    spread = f.losses_about(jnp.expand_dims(y_mean, f.rows.ndim - 1))
    return jnp.maximum(spread, jnp.finfo(spread.dtype).tiny)


def null_reference(f: Smooth, g: Penalty, params: PyTree) -> Reference:
    """The scales of the gap and of the KKT residual."""
    return Reference(null_objective(f, g, params), reference(f, g, params).gradient)


def is_tall(f: Smooth) -> bool:
    """Whether there are more rows than features, so that moments are the smaller problem."""
    rows, features = f.data[0].shape[-2:]
    return bool(rows > features)


def centres(f: Smooth) -> tuple[Array, Array]:
    """Weighted means of X and y, within each task."""
    X, y = f.data
    total = jnp.sum(f.rows, -1, keepdims=True)
    share = f.rows / jnp.where(total > 0, total, 1.0)
    x_mean = einsum("...n,...np->...p", share, X)
    y = y.astype(X.dtype)
    return x_mean, jax.vmap(matmul)(share, y) if f.is_multitask else matmul(share, y)


def from_moments(risk: Risk | MultitaskRisk, stats: Moments, weight: Array, intercept: bool) -> Smooth:
    """A problem of p rows with the same X'X and X'y: A = Λ^½Vᵀ from X'X = VΛVᵀ, directions below rounding dropped.

    `risk` has squared loss and a linear model; `weight` is what the task counts for, () or (tasks,).
    """
    gram, cross, square = stats.gram(centre=intercept)
    values, vectors = jnp.linalg.eigh(gram)
    cut = jnp.finfo(gram.dtype).eps * gram.shape[-1] * jnp.maximum(values[..., -1:], 0.0)
    kept = ~(values <= cut)  # NaN stays
    root = jnp.sqrt(jnp.where(kept, values, 1.0))
    turned = jnp.swapaxes(vectors, -1, -2)
    A = jnp.where(kept[..., None], root[..., None] * turned, 0.0)
    outputs = cross.ndim - gram.ndim + 1
    rotated = matmul(turned, cross if outputs else cross[..., None])
    target = jnp.where(kept[..., None], rotated / root[..., None], 0.0)
    left = jnp.maximum(square - jnp.sum(jnp.square(target), -2).reshape(square.shape), 0.0)
    constant = 0.5 * jnp.sum(jnp.reshape(weight, weight.shape + (1,) * outputs) * left)
    rows = jnp.broadcast_to(weight[..., None], A.shape[:-1])
    return Smooth(risk, (A, target if outputs else target[..., 0]), rows, constant, jnp.where(kept, values, 0.0))


def restorer(x_mean: Array, y_mean: Array, intercept: bool) -> Callable[[PyTree], PyTree]:
    """From coefficients of the centred problem to the user's parameters."""
    if not intercept:
        return lambda w: w
    outputs = y_mean.ndim - x_mean.ndim + 1
    spec = "...p,...pk->...k" if outputs else "...p,...p->..."

    def restore(w: PyTree) -> PyTree:
        named = w if isinstance(w, dict) else {"coef": w}
        return {**named, "intercept": y_mean - einsum(spec, x_mean, summed(w))}

    return restore
