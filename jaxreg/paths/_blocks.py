"""What both active-set routes share: whom they serve, blocks of strengths, and how their fits are put together.

Lanes are samples that differ by their weights; the last one is the whole sample. Strengths go in blocks of one size, so
that any number of strengths, lanes and features of one bucket shares one compiled program.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg import _validate
from jaxreg._typing import Array, Data, PyTree
from jaxreg.penalties import Leafwise, Penalty
from jaxreg.risk import MultitaskRisk, Risk
from jaxreg.solvers._certificate import Reference
from jaxreg.solvers._entering import thresholds
from jaxreg.solvers._loop import MARGIN, Solution, Solver, Status, floored
from jaxreg.solvers._problem import Smooth, bind
from jaxreg.solvers._reduce import coefficient_part
from jaxreg.solvers.active_set import Fits, Gram, follow
from jaxreg.solvers.fista import FISTA
from jaxreg.solvers.minimize import fit_one

BLOCK = 10


class Vector(NamedTuple):
    """A penalty on one vector of coefficients, and whether a free intercept stands beside it."""

    part: Leafwise
    intercept: bool


class Lanes(NamedTuple):
    """Fits with leading axes (lane, strength); the last lane is the whole sample. Scores of the others, (K, L)."""

    fits: Solution
    scores: Array | None


def vector_problem(f: Smooth, penalty: Penalty, init: PyTree) -> Vector | None:
    """The problem active sets serve: one output, elementwise thresholding, a dual bound, values known; else None."""
    loss = f.risk.loss
    if not f.is_linear or f.is_multitask or f.data[1].ndim != 1 or _validate.traced(f, penalty, init):
        return None
    found = coefficient_part(f, penalty, init)
    served = loss.smooth and loss.separable and loss.dual
    if found is None or not (loss.quadratic or (served and found[0].dualisable)):
        return None
    return Vector(*found) if thresholds(found[0]) else None


@jax.jit
def shares(weights: Array, masks: Array | None) -> tuple[Array, Array]:
    """Each lane's share of the rows (F, n), and the held-out shares (K, n)."""
    lanes, held = weights[None], jnp.zeros((0, len(weights)), weights.dtype)
    if masks is not None:
        held = weights[None] * masks.astype(weights.dtype)
        lanes = jnp.concatenate([weights[None] - held, lanes])
        held = held / jnp.sum(held, 1, keepdims=True)
    return lanes / jnp.sum(lanes, 1, keepdims=True), held


def bucket(features: int) -> int:
    """Features are padded to powers of two, at least 16."""
    return max(16, 1 << (features - 1).bit_length())


def gather(part: Leafwise, index: Array, features: int) -> Leafwise:
    """An elementwise penalty on some of its features: leaves with one number per feature are gathered."""
    return jax.tree.map(lambda x: jnp.take(x, index, mode="clip") if x.shape == (features,) else x, part)


def spread(coef: Array, index: Array, features: int) -> Array:
    """Coefficients (..., width) of some features among all of them, zeros elsewhere: the way back from `gather`."""
    return jnp.zeros((*coef.shape[:-1], features), coef.dtype).at[..., index].set(coef, mode="drop")


def spread_rows(coef: Array, index: Array, features: int) -> Array:
    """As `spread` with an axis of outputs: (..., width, T) to (..., features, T)."""
    shape = (*coef.shape[:-2], features, coef.shape[-1])
    return jnp.zeros(shape, coef.dtype).at[..., index, :].set(coef, mode="drop")


@jax.jit
def solve_block(
    gram: Gram, part: Leafwise, ref: Reference, strengths: Array, last: Array, at: Array, tol: Array
) -> Fits:
    """One lane over a block of strengths: the one program that both routes share, compiled once for every bucket."""
    return follow(gram, part, ref, strengths, last, at, MARGIN * floored(tol))


def blocks(strengths: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Blocks of one size, the last one filled by repeating its end."""
    for first in range(0, len(strengths), BLOCK):
        part = strengths[first : first + BLOCK]
        yield slice(first, first + len(part)), np.pad(part, (0, BLOCK - len(part)), mode="edge")


def assemble(
    risk: Risk | MultitaskRisk,
    penalty: Penalty,
    solver: Solver,
    data: Data,
    lanes: np.ndarray,
    strengths: np.ndarray,
    found: Solution,
    tol: Array,
    max_steps: int,
) -> Solution:
    """The fits with their status; those above the tolerance are solved again on all features, one by one.

    First-order steps follow where that fails: of a loss that is not bent everywhere, such as Huber's, a quadratic model
    may lead nowhere.
    """
    limit = float(floored(tol))
    missed = np.argwhere(~(np.asarray(found.gap) <= limit))
    if len(missed):
        found = jax.tree.map(np.array, found)
    for lane, at in missed:
        f = bind(risk, data, jnp.asarray(lanes[lane]))
        start = jax.tree.map(lambda x, i=lane, j=at: jnp.asarray(x[i, j]), found.params)
        weighted = jnp.asarray(strengths[at], tol.dtype) * penalty
        fit = fit_one(f, weighted, solver, start, tol, max_steps)
        if f.is_bounded and fit.status in (Status.STALLED, Status.DIVERGED):
            fit = fit_one(f, weighted, FISTA(), fit.params, tol, max_steps)
        for to, new in zip(jax.tree.leaves(found), jax.tree.leaves(fit), strict=True):
            to[lane, at] = np.asarray(new)
    return jax.device_put(found)


def statuses(found: Solution, tol: Array) -> Solution:
    """The fits as they are: those above the tolerance have stalled."""
    limit = float(floored(tol))
    status: Any = np.where(np.asarray(found.gap) <= limit, Status.CONVERGED, Status.STALLED).astype(np.int8)
    return jax.device_put(Solution(found.params, found.value, found.gap, found.steps, status))


def solution(params: PyTree, value: Any, gap: Any, steps: Any) -> Solution:
    """Fits, all of them converged until the tolerance is asked."""
    return Solution(params, value, gap, steps, jnp.full(np.shape(gap), Status.CONVERGED, jnp.int8))
