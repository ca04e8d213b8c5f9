"""What the judge of working sets says of a block of strengths: certificates on all features, and what was missed."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxreg._typing import Array
from jaxreg.penalties import Leafwise
from jaxreg.solvers._certificate import Reference, squared_gap
from jaxreg.solvers._entering import enters, weighed


class Verdict(NamedTuple):
    """For lanes and strengths: gaps, objectives; for folds and strengths: scores; for lanes the rest.

    That is the features that were missed, and the gradients at the last two strengths.
    """

    gap: Array
    value: Array
    scores: Array
    missed: Array
    before: Array
    grad: Array


def missing(part: Leafwise, grad: Array, coef: Array, strengths: Array) -> Array:
    """How far each feature of a lane would move at worst over a block where it is zero: arguments (B, p, ...)."""
    moved = jax.vmap(partial(enters, part))(grad, strengths)
    idle = jnp.all(coef == 0, tuple(range(2, coef.ndim)))
    return jnp.max(jnp.where(idle, moved, 0.0), 0)


@jax.jit
def squared_slopes(rows: Array, fits: list[tuple[Array, Array]]) -> tuple[Array, Array, Array]:
    """Errors and coefficients of all lanes and strengths, and the slopes whose products with X are the gradients."""
    errors, coef = (jnp.stack(column) for column in zip(*fits, strict=True))
    return errors, coef, errors * _like(rows, errors)


@jax.jit
def squared_verdict(
    part: Leafwise,
    strengths: Array,
    errors: Array,
    coef: Array,
    grad: Array,
    rows: Array,
    held: Array,
    refs: Reference,
) -> Verdict:
    """The verdict of least squares from errors (F, B, n) or (F, B, T, n), coefficients and gradients."""
    axes = tuple(range(2, errors.ndim))
    square = jnp.sum(errors * _like(rows, errors) * errors, axes)
    gap, value, missed = _squared_lanes(part, strengths, coef, grad, square, refs)
    out = errors[: len(held)]
    scores = 0.5 * jnp.sum(_like(held, out) * jnp.square(out), axes)
    return Verdict(gap, value, scores, missed, grad[:, -2], grad[:, -1])


def _like(rows: Array, errors: Array) -> Array:
    return jnp.reshape(rows, (len(rows), *[1] * (errors.ndim - 2), rows.shape[1]))


def _squared_lanes(
    part: Leafwise, strengths: Array, coef: Array, grad: Array, square: Array, refs: Reference
) -> tuple[Array, Array, Array]:
    """Gaps and objectives of least squares, and what was missed, lane by lane: a processor's cache holds one.

    Coefficients and gradients are (F, B, p, ...), weighted sums of squared residuals (F, B).
    """

    def cell(w: Array, g: Array, rest: Array, s: Array, ref: Reference) -> tuple[Array, Array]:
        return squared_gap(weighed(s, part), w, g, rest, ref), 0.5 * rest + weighed(s, part).leaf_value(w)

    def lane(found: tuple[Array, Array, Array, Reference]) -> tuple[Array, Array, Array]:
        w, g, rest, ref = found
        gap, value = jax.vmap(cell, in_axes=(0, 0, 0, 0, None))(w, g, rest, strengths, ref)
        return gap, value, missing(part, g, w, strengths)

    return jax.lax.map(lane, (coef, grad, square, refs))
