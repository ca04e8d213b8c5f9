"""Certificates of optimality: the relative duality gap, or the scaled KKT residual where no dual bound is known.

With α = ℓ'(predictions), f(x) + g(x) >= constant - Σ rows ℓ*(κα) - g*(-Aᵀ(κ rows α)) for every κ in [0, 1]
(Fenchel-Rockafellar duality; scaling as in El Ghaoui, Viallon and Rabbani 2012). A gauge fixes κ so that its polar
constraint holds; with a quadratic part g* is finite and κ = 1 is tried as well; the better bound counts.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxreg import _tree
from jaxreg._pytree import pytree
from jaxreg._typing import Array, PyTree
from jaxreg.penalties import Leafwise, Penalty
from jaxreg.penalties._base import is_intercept
from jaxreg.risk import weighted
from jaxreg.solvers._problem import Smooth


@pytree
class Reference:
    """What certificates are relative to: |objective| and the largest gradient entry at zero parameters."""

    objective: Array
    gradient: Array


def reference(f: Smooth, penalty: Penalty, params: PyTree) -> Reference:
    """The scale of a problem, taken at zero parameters."""
    zero = _tree.zeros_like(params)
    value, grad = jax.value_and_grad(f)(zero)
    objective = jnp.abs(value + jnp.where(jnp.isfinite(penalty.value(zero)), penalty.value(zero), 0.0))
    tiny = jnp.finfo(value.dtype).tiny
    return Reference(jnp.maximum(objective, tiny), jnp.maximum(_tree.max_abs(grad), tiny))


def certify(f: Smooth, penalty: Penalty, params: PyTree, ref: Reference, step: Array) -> tuple[Array, Array]:
    """The whole objective and its relative gap at `params`; `step` is the prox parameter of the KKT residual."""
    predictions, back = jax.vjp(f.predictions, params)
    smooth, slopes = jax.value_and_grad(f.value_at)(predictions)
    value = smooth + penalty.value(params)
    grad = back(slopes)[0]
    residual = _tree.max_abs(penalty.residual(params, grad, step)) / ref.gradient
    bound = _dual_bound(f, penalty, params, slopes, grad, back)
    if bound is None:
        return value, residual
    gap = (value - bound) / ref.objective
    floor = jnp.min(jnp.stack([jnp.asarray(p.leaf_floor()) for p in _parts(penalty, params) if p is not None]))
    known = (floor > 0) & ~jnp.isneginf(bound)
    return value, jnp.where(known, jnp.maximum(gap, 0.0), residual)


def squared_gap(part: Leafwise, w: Array, grad: Array, residual: Array, ref: Reference) -> Array:
    """The certificate of least squares from w, its gradient and the weighted sum of squared residuals.

    At dual scale κ objective less bound is ½(1 - κ)² residual + κ<w, grad> + g(w) + g*(-κ grad): no large numbers
    cancel, and neither predictions nor targets are needed.
    """
    rest = jnp.max(jnp.abs(part.residual(w, grad, jnp.ones((), w.dtype)))) / ref.gradient
    if not part.dualisable:
        return rest
    value, along = part.leaf_value(w), jnp.sum(w * grad)
    scales = _scales([(part, -grad)], w.dtype)
    gaps = [0.5 * jnp.square(1 - k) * residual + k * along + value + part.leaf_conjugate(-k * grad) for k in scales]
    gap = jnp.min(jnp.stack([jnp.where(jnp.isnan(g), jnp.inf, g) for g in gaps])) / ref.objective
    known = (jnp.asarray(part.leaf_floor()) > 0) & jnp.isfinite(gap)
    return jnp.where(known, jnp.maximum(gap, 0.0), rest)


def _parts(penalty: Penalty, params: PyTree) -> tuple[Leafwise | None, ...]:
    return penalty.parts(_tree.names(params)) if isinstance(penalty, Leafwise) else ()


def _dual_bound(f: Smooth, penalty: Penalty, params: PyTree, slopes: Array, grad: PyTree, back) -> Array | None:  # type: ignore[no-untyped-def]
    """The best lower bound on the objective from the gradient's dual point, None where theory gives none."""
    parts, names = _parts(penalty, params), _tree.names(params)
    if not f.is_linear or not f.risk.loss.dual or not parts:
        return None
    if not all(p.dualisable for p in parts if p is not None) or all(p is None for p in parts):
        return None
    free = [i for i, p in enumerate(parts) if p is None]
    if free:
        if len(free) > 1 or not is_intercept(names[free[0]]) or not f.risk.loss.separable:
            return None
        slopes = _balance(slopes, jax.tree.leaves(params)[free[0]].ndim, f.rows.ndim)
        grad = back(slopes)[0]
    shape = f.rows.shape + (1,) * (slopes.ndim - f.rows.ndim)
    rows = jnp.reshape(f.rows, shape)
    duals = jnp.where(rows > 0, slopes / jnp.where(rows > 0, rows, 1.0), 0.0)
    leaves = [(p, -u) for p, u in zip(parts, jax.tree.leaves(grad), strict=True) if p is not None]
    scales = _scales(leaves, slopes.dtype)
    bounds = [_bound(f, leaves, duals, scale) for scale in scales]
    return jnp.max(jnp.stack(bounds))


def _scales(leaves: list[tuple[Leafwise, Array]], dtype: Any) -> list[Array]:
    """The scales κ of the dual point that are tried: 1, and the largest that the polar constraints bear."""
    tops = [p.leaf_dual(u) for p, u in leaves if p.gauge]
    scales = [jnp.ones((), dtype)]
    if tops:
        top = jnp.max(jnp.stack(tops))
        scales.append(1 / jnp.maximum(top, 1.0))
        if any(p.gauge and not p.homogeneous for p, _ in leaves):
            # A quadratic on some entries only: the polar constraint binds the others, by rounding or a little more.
            eps = jnp.finfo(dtype).eps
            scales += [jnp.asarray(1 / (1 + slack * eps), dtype) for slack in (1e2, 1e4, 1e6)]
    return scales


def _bound(f: Smooth, leaves: list[tuple[Leafwise, Array]], duals: Array, scale: Array) -> Array:
    conjugates = f.risk.conjugates(scale * duals, f.data)
    total = f.constant - weighted(f.rows, conjugates)
    for part, u in leaves:
        total = total - part.leaf_conjugate(scale * u)
    return jnp.where(jnp.isnan(total), -jnp.inf, total)


def _balance(slopes: Array, intercept_axes: int, sample_axes: int) -> Array:
    """Scale the heavier sign down so that slopes sum to 0 for every intercept: |α| only shrinks, so ℓ* stays finite."""
    axis = sample_axes - 1 if intercept_axes == slopes.ndim - 1 else tuple(range(slopes.ndim))
    up = jnp.sum(jnp.maximum(slopes, 0.0), axis, keepdims=True)
    down = jnp.sum(jnp.maximum(-slopes, 0.0), axis, keepdims=True)
    least = jnp.minimum(up, down)
    ratio = jnp.where(slopes > 0, least / jnp.where(up > 0, up, 1.0), least / jnp.where(down > 0, down, 1.0))
    return slopes * ratio
