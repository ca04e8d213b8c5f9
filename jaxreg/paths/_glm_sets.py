"""Generalised linear models on working sets: proximal Newton on the features at hand, all features in the judge."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg._typing import Array
from jaxreg.paths._blocks import Vector, gather, spread
from jaxreg.paths._design import Design
from jaxreg.paths._null import best_constant
from jaxreg.paths._verdict import Verdict, missing
from jaxreg.paths._working_set import Fit
from jaxreg.penalties import Leafwise
from jaxreg.risk import MultitaskRisk, Risk
from jaxreg.solvers._certificate import Reference, linear_gap
from jaxreg.solvers._descent import first_step, least_damping
from jaxreg.solvers._entering import weighed
from jaxreg.solvers._lockstep import Lockstep, follow_lanes, slopes_of
from jaxreg.solvers._loop import MARGIN, floored
from jaxreg.solvers._problem import Smooth, bare
from jaxreg.solvers._reduce import null_reference


class _Rows(NamedTuple):
    """The risk, targets, each lane's share of the rows (F, n), held-out shares (K, n), and the scales of gaps."""

    risk: Any
    y: Array
    shares: Array
    held: Array
    refs: Reference


class GlmLanes:
    """Samples that differ by their weights, the last one whole; `Fit.rows` are predictions."""

    widths: tuple[int, ...] = (64, 256, 512, 1024, 2048, 4096)  # a step costs their square; every one is compiled

    def __init__(
        self,
        risk: Risk | MultitaskRisk,
        design: Design,
        y: Array,
        lanes: np.ndarray,
        masks: np.ndarray | None,
        vector: Vector,
    ) -> None:
        self.part, self.intercept = vector
        self.design = design
        shares = lanes / lanes.sum(1, keepdims=True)
        held = lanes[:0] if masks is None else lanes[-1] * masks
        held = held / held.sum(1, keepdims=True)
        refs, slopes = _null(risk, y, shares, self.intercept)
        self.grad = design.pull(slopes)
        largest = jnp.maximum(jnp.max(jnp.abs(self.grad), 1), jnp.finfo(y.dtype).tiny)
        self.rows = _Rows(risk, y, jnp.asarray(shares), jnp.asarray(held), Reference(refs, largest))

    def fit(self, lane: int, chosen: np.ndarray, block: np.ndarray, before: Fit, tol: Array) -> Fit:
        start = before.coef[-1], before.intercept[-1]
        Z, features = self.design.columns(chosen), self.design.shape[1]
        risk, y, shares = self.rows[:3]
        return _along(risk, Z, y, shares[lane], self.part, block, chosen, start, tol, features, self.intercept)

    def judge(self, block: np.ndarray, fits: list[Fit]) -> Verdict:
        found = [(f.rows, f.coef) for f in fits]
        slopes = _slopes(self.rows, [f.rows for f in fits], self.intercept)
        return _judge(self.rows, self.part, block, found, slopes, self.design.pull(slopes))


def _bound(risk: Any, Z: Array, y: Array, shares: Array) -> Smooth:
    return Smooth(risk, (Z, y), shares, jnp.zeros((), shares.dtype))


@partial(jax.jit, static_argnums=3)
def _null(risk: Any, y: Array, shares: Array, intercept: bool) -> tuple[Array, Array]:
    """For every lane the scale of its gaps, and slopes at the best constant prediction."""

    def one(share: Array) -> tuple[Array, Array]:
        f, zero = bare(risk, y, share), jnp.zeros_like(share)
        level = best_constant(f) if intercept else jnp.zeros((), zero.dtype)
        objective = jnp.abs(f.value_at(zero))
        return jnp.maximum(objective, jnp.finfo(zero.dtype).tiny), slopes_of(f, zero + level, intercept)

    return jax.vmap(one)(shares)


@partial(jax.jit, static_argnums=(9, 10))
def _along(
    risk: Any,
    Z: Array,
    y: Array,
    share: Array,
    part: Leafwise,
    strengths: Array,
    chosen: Array,
    start: tuple[Array, Array],
    tol: Array,
    features: int,
    intercept: bool,
) -> Fit:
    """One lane's path over a block on chosen features."""
    coef = jnp.take(start[0], chosen, mode="fill", fill_value=0)
    init: Any = {"coef": coef, "intercept": start[1]} if intercept else coef
    f, few = _bound(risk, Z, y, share), gather(part, chosen, features)
    refs, damping = null_reference(f, few, init), least_damping(first_step(f, init))
    model = Lockstep(risk, Z, y, share[None], None, jax.tree.map(lambda x: x[None], refs), damping, intercept)
    begin = coef[None], jnp.reshape(start[1], (1,))
    fits, rows = follow_lanes(model, few, strengths, begin, MARGIN * floored(tol), lambda z: z[0])
    coef = spread(fits.coef[:, 0], chosen, features)
    return Fit(coef, fits.bias[:, 0], rows, fits.steps[:, 0], coef[-1], strengths[-1])


@partial(jax.jit, static_argnums=2)
def _slopes(rows: _Rows, predictions: list[Array], intercept: bool) -> Array:
    def one(share: Array, z: Array) -> Array:
        return slopes_of(bare(rows.risk, rows.y, share), z, intercept)

    return jax.vmap(lambda share, zs: jax.vmap(partial(one, share))(zs))(rows.shares, jnp.stack(predictions))


@jax.jit
def _judge(
    rows: _Rows, part: Leafwise, strengths: Array, fits: list[tuple[Array, Array]], slopes: Array, grad: Array
) -> Verdict:
    predictions, coef = (jnp.stack(column) for column in zip(*fits, strict=True))

    def lane(one: tuple[Array, Reference, tuple[Array, ...]]) -> tuple[Array, Array, Array]:
        f, (w, *found, g) = bare(rows.risk, rows.y, one[0]), one[2]
        judged = jax.vmap(lambda s, *x: linear_gap(f, weighed(s, part), one[1], *x))(strengths, w, *found, g)
        return *judged, missing(part, g, w, strengths)

    value, gap, missed = jax.lax.map(lane, (rows.shares, rows.refs, (coef, predictions, slopes, grad)))
    score = jax.vmap(lambda held, zs: jax.vmap(bare(rows.risk, rows.y, held).value_at)(zs))
    scores = score(rows.held, predictions[: len(rows.held)])
    return Verdict(gap, value, scores, missed, grad[:, -2], grad[:, -1])
