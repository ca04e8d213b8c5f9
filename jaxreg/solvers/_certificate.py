"""Certificates of optimality: the relative duality gap, or the scaled KKT residual where no dual bound is known.

With α = ℓ'(predictions), f(x) + g(x) >= constant - Σ rows ℓ*(κα) - g*(-Aᵀ(κ rows α)) for every κ in [0, 1]
(Fenchel-Rockafellar duality; scaling as in El Ghaoui, Viallon and Rabbani 2012). A gauge, or a function that grows
like one, fixes κ so that its polar constraint holds; with a quadratic part g* is finite and κ = 1 is tried as well; the
better bound counts. Terms h(Kx) of a split problem subtract h*(κu) each and add Kᵀu to the gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxreg import _tree
from jaxreg._pytree import pytree
from jaxreg._typing import Array, PyTree
from jaxreg.penalties import Leafwise, Penalty
from jaxreg.risk import weighted
from jaxreg.solvers._feasible import feasible
from jaxreg.solvers._problem import Smooth
from jaxreg.solvers._saddle import Saddle, saddle
from jaxreg.solvers._sides import Side, Stated
from jaxreg.solvers._terms import Dual, parts_on

_CLOSE = 1e-3
# In units of rounding: by how little constraints on some entries, or the domain of ℓ*, may be missed, and by how much
# by slopes that were moved: without end, for then the bound at no slopes is left.
_ROUNDING = (1e2, 1e4, 1e6)
_LEAVING = (1e8, 1e10, 1e12, 1e14, float("inf"))


@pytree
class Reference:
    """What certificates are relative to: |objective| and the largest gradient entry at zero parameters."""

    objective: Array
    gradient: Array


def reference(f: Smooth, penalty: Penalty, params: PyTree) -> Reference:
    """The scale of a problem, taken at zero parameters; the gradient at `params` where zero is stationary."""
    zero = _tree.zeros_like(params)
    value, grad = jax.value_and_grad(f)(zero)
    pull = _tree.max_abs(grad)
    if not f.is_linear:
        pull = jnp.where(pull > 0, pull, _tree.max_abs(jax.grad(f)(params)))
    objective = jnp.abs(value + jnp.where(jnp.isfinite(penalty.value(zero)), penalty.value(zero), 0.0))
    tiny = jnp.finfo(value.dtype).tiny
    return Reference(jnp.maximum(objective, tiny), jnp.maximum(pull, tiny))


def certify(
    f: Smooth, penalty: Penalty, params: PyTree, ref: Reference, step: Array, duals: tuple[Dual, ...] = ()
) -> tuple[Array, Array]:
    """The whole objective and its relative gap at `params`; `step` is the prox parameter of the KKT residual.

    A split problem is certified with the duals of its terms: the first block answers for -∇f - Σ Kᵀu, so that nothing
    but its own prox and the terms' can fail. Where a term is infinite at Kx, to which its prox is only near, its value
    is taken there.
    """
    s = saddle(f, penalty, params)
    values = s.spanned(duals)
    predictions, back = jax.vjp(f.predictions, params)
    smooth, slopes = jax.value_and_grad(f.value_at)(predictions)
    slopes = s.fitted.slopes(values[-1]) if s.fitted else slopes
    pulled = s.pull_penalties(values, params)
    grad = _tree.add_scale(pulled, 1.0, back(slopes)[0])
    point, rest, normal = _touch(s.g, params, grad, step)
    value, residual = smooth + penalty.value(params), _tree.max_abs(rest)
    inside = ~jnp.isposinf(value)
    close = (inside | bool(s.terms)) & (residual <= _CLOSE * ref.gradient)
    bound = _dual_bound(f, s, params, slopes, pulled, (point, normal), close, values)
    if s.terms:
        near, gaps = _inclusions(f, s, params, step, duals)
        value, residual = jnp.where(inside, value, near), jnp.maximum(residual, gaps)
    residual = jnp.where(jnp.isnan(value), value, residual / ref.gradient)
    if bound is None:
        return value, residual
    gap = (value - bound) / ref.objective
    parts = [p for p in parts_on(s.g, params) if p is not None]
    floor = jnp.min(jnp.stack([jnp.asarray(p.leaf_floor()) for p in parts]))
    known = (floor > 0) & ~jnp.isneginf(bound) & (inside if s.terms else True)
    return value, jnp.where(known, jnp.maximum(gap, 0.0), residual)


def squared_gap(part: Leafwise, w: Array, grad: Array, residual: Array, ref: Reference) -> Array:
    """The certificate of least squares from w, its gradient and the weighted sum of squared residuals.

    At dual scale κ objective less bound is ½(1 - κ)² residual + κ<w, grad> + g(w) + g*(-κ grad): no large numbers
    cancel, and neither predictions nor targets are needed.
    """
    value, along = part.leaf_value(w), jnp.sum(w * grad)
    rest = _leaf_residual(part, w, grad, value, ref)
    if not part.dualisable:
        return rest
    scales = _scales([Stated(part, -grad)], w.dtype)
    gaps = [0.5 * jnp.square(1 - k) * residual + k * along + value + part.leaf_conjugate(-k * grad) for k in scales]
    gap = jnp.min(jnp.stack([jnp.where(jnp.isnan(g), jnp.inf, g) for g in gaps])) / ref.objective
    known = (jnp.asarray(part.leaf_floor()) > 0) & jnp.isfinite(gap)
    return jnp.where(known, jnp.maximum(gap, 0.0), rest)


def linear_gap(
    f: Smooth, part: Leafwise, ref: Reference, w: Array, predictions: Array, slopes: Array, grad: Array
) -> tuple[Array, Array]:
    """The objective of a linear model with one output and its certificate, from predictions and gradients at hand.

    `slopes` are ∂f/∂predictions, `balanced` where an intercept is free, and `grad` is X' slopes.
    """
    value = f.value_at(predictions) + part.leaf_value(w)
    rest = _leaf_residual(part, w, grad, value, ref)
    gap = (value - _best_bound(f, [Stated(part, -grad)], slopes)) / ref.objective
    known = (jnp.asarray(part.leaf_floor()) > 0) & jnp.isfinite(gap)
    return value, jnp.where(known, jnp.maximum(gap, 0.0), rest)


def _leaf_residual(part: Leafwise, w: Array, grad: Array, value: Array, ref: Reference) -> Array:
    """The scaled KKT residual; infinite outside the penalty's domain, however near w is to it."""
    rest = jnp.max(jnp.abs(part.residual(w, grad, jnp.ones((), w.dtype)))) / ref.gradient
    return jnp.where(jnp.isposinf(value), jnp.inf, rest)


def _inclusions(f: Smooth, s: Saddle, params: PyTree, step: Array, duals: tuple[Dual, ...]) -> tuple[Array, Array]:
    """The objective with every term at its prox of Kx + tu, and how far u is from ∂h(Kx), in units of a gradient."""
    value = s.g.value(params) + (0.0 if s.fitted else f(params))
    worst = jnp.zeros((), step.dtype)
    for term, dual in zip(s.terms, duals, strict=True):
        t, image = step * dual.norm2, term.forward(params)
        near = term.prox(_tree.add_scale(image, t, dual.value), t)
        apart = jnp.sqrt(_tree.norm2(_tree.sub(image, near)) * dual.norm2) / t
        value, worst = value + term.value(near), jnp.maximum(worst, apart)
    return value + (f.constant if s.fitted else 0.0), worst


def _touch(g: Penalty, params: PyTree, grad: PyTree, step: Array) -> tuple[PyTree, PyTree, PyTree]:
    """The prox z of a gradient step, the residual (x - z)/t, and (x - z)/t - grad, which is in ∂g(z)."""
    point = g.prox(_tree.add_scale(params, -step, grad), step)
    rest = jax.tree.map(lambda x, z: (x - z) / step, params, point)
    return point, rest, _tree.sub(rest, grad)


def _dual_bound(
    f: Smooth,
    s: Saddle,
    params: PyTree,
    slopes: Array,
    pulled: PyTree,
    touch: tuple[PyTree, PyTree],
    close: Array,
    duals: tuple[PyTree, ...],
) -> Array | None:
    """The best lower bound on the objective from these dual points, None where theory gives none."""
    parts = parts_on(s.g, params)
    others = [Stated(*pair) for term, u in zip(s.terms, duals, strict=True) for pair in term.duals(u)]
    if not f.is_linear or not f.risk.loss.dual or not any(parts) or not all(o.part.dualisable for o in others):
        return None
    held = frozenset(i for term in s.terms for i in term.acts)
    found = feasible(f, parts, held, params, slopes, pulled, touch, close)
    if found is None:
        return None
    slacks = (s.fitted is not None) * _ROUNDING + found.moved * (_ROUNDING + _LEAVING)
    bound = _best_bound(f, [*found.sides, *others], found.slopes, slacks)
    return jnp.where(found.reached, bound, -jnp.inf)


def _best_bound(f: Smooth, sides: Sequence[Side], slopes: Array, slacks: tuple[float, ...] = ()) -> Array:
    rows = f.rows_like(slopes)
    alphas = jnp.where(rows > 0, slopes / jnp.where(rows > 0, rows, 1.0), 0.0)
    bounds = [_bound(f, sides, alphas, scale) for scale in _scales(sides, slopes.dtype, slacks)]
    return jnp.max(jnp.stack(bounds))


def _scales(sides: Sequence[Side], dtype: Any, slacks: tuple[float, ...] = ()) -> list[Array]:
    """What to multiply the dual points by: 1, whatever meets the polar constraints, and 1/(1 + slack)."""
    scales = [jnp.ones((), dtype)]
    tops = [top for top in (side.top() for side in sides) if top is not None]
    if tops:
        scales.append(1 / jnp.maximum(jnp.max(jnp.stack(tops)), 1.0))
    if any(side.tight for side in sides):
        slacks = slacks or _ROUNDING
    eps = jnp.finfo(dtype).eps
    return scales + [jnp.asarray(1 / (1 + slack * eps), dtype) for slack in slacks]


def _bound(f: Smooth, sides: Sequence[Side], duals: Array, scale: Array) -> Array:
    conjugates = f.risk.conjugates(scale * duals, f.data)
    total = f.constant - weighted(f.rows, conjugates)
    for side in sides:
        total = total - side.conjugate(scale)
    return jnp.where(jnp.isnan(total), -jnp.inf, total)
