"""Generalised linear models of few features: every sample at every strength by proximal Newton, in one program."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg._linalg import matmul
from jaxreg._typing import Array, Data
from jaxreg.paths._blocks import Vector, shares, solution
from jaxreg.paths._null import best_constant
from jaxreg.penalties import Leafwise
from jaxreg.risk import MultitaskRisk, Risk
from jaxreg.solvers._certificate import Reference
from jaxreg.solvers._descent import first_step, least_damping
from jaxreg.solvers._lockstep import Fitted, Lockstep, follow_lanes
from jaxreg.solvers._loop import MARGIN, Solution, floored
from jaxreg.solvers._problem import Smooth, bare


def by_glm_lanes(
    risk: Risk | MultitaskRisk,
    data: Data,
    weights: Array,
    masks: np.ndarray | None,
    order: np.ndarray | None,
    vector: Vector,
    strengths: np.ndarray,
    tol: Array,
) -> tuple[Solution, Array | None]:
    """Fit all lanes over all strengths; held-out scores (K, L) of the folds."""
    fits, scores = _paths(risk, data, weights, masks, order, vector.part, strengths, tol, vector.intercept)
    params = {"coef": fits.coef, "intercept": fits.bias} if vector.intercept else fits.coef
    return solution(params, fits.value, fits.gap, fits.steps), None if masks is None else scores


@partial(jax.jit, static_argnums=8)
def _paths(
    risk: Any,
    data: Data,
    weights: Array,
    masks: Array | None,
    order: Array | None,
    part: Leafwise,
    strengths: Array,
    tol: Array,
    intercept: bool,
) -> tuple[Fitted, Array]:
    lanes, held = shares(weights, masks)
    refs, levels = _null(risk, data, lanes, intercept)
    zero: Any = jnp.zeros(data[0].shape[1], weights.dtype)
    zero = {"coef": zero, "intercept": levels[-1]} if intercept else zero
    damping = least_damping(first_step(Smooth(risk, data, lanes[-1]), zero))
    model = Lockstep(risk, *data, lanes, order, refs, damping, intercept)
    start = jnp.zeros((len(lanes), data[0].shape[1]), weights.dtype), levels

    def scored(predictions: Array) -> Array:
        return jax.vmap(lambda share, z: model.bound(share).value_at(z))(held, predictions[: len(held)])

    fits, scores = follow_lanes(model, part, strengths, start, MARGIN * floored(tol), scored)
    return jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), (fits, scores))


def _null(risk: Any, data: Data, lanes: Array, intercept: bool) -> tuple[Reference, Array]:
    """For every lane the scales of its certificates, at zero parameters, and its best constant prediction."""
    X, y = data

    def one(share: Array) -> tuple[Array, Array, Array]:
        f, zero = bare(risk, y, share), jnp.zeros_like(share)
        level = best_constant(f) if intercept else jnp.zeros((), X.dtype)
        return jnp.abs(f.value_at(zero)), jax.grad(f.value_at)(zero), level

    objectives, slopes, levels = jax.vmap(one)(lanes)
    pulls = jnp.max(jnp.abs(matmul(slopes, X)), 1)
    pulls = jnp.maximum(pulls, jnp.abs(jnp.sum(slopes, 1))) if intercept else pulls
    tiny = jnp.finfo(X.dtype).tiny
    return Reference(jnp.maximum(objectives, tiny), jnp.maximum(pulls, tiny)), levels
