"""Wide linear models by working sets: small problems on few features, and one product with X per block to check all.

A block of strengths is solved, for every lane, on the features that the sequential strong rule (Tibshirani et al. 2012)
leads to expect, its gradients extrapolated as in Larsson and Wallin (2022). One product then gives the gradients of
all lanes and strengths: the gaps on the full problem, the features that were missed, and what the next block needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg import _validate
from jaxreg._typing import Array
from jaxreg.paths._blocks import blocks, solution
from jaxreg.paths._verdict import Verdict
from jaxreg.penalties import Leafwise
from jaxreg.solvers._entering import enters, quiet
from jaxreg.solvers._loop import Solution, floored

_Column = Sequence[Array] | np.ndarray
"""Something of every lane."""

_ROUNDS = 12
_SLACK, _CLOSE = 0.3, 0.8
_COARSE, _DEEPEST = 0.75, 1e-6


class Fit(NamedTuple):
    """One lane's block on a working set, in all features.

    Coefficients (B, p), intercepts, what the judge reads of every row (B, n), steps, the last solution, and what the
    block's coefficients were on fewer features, NaN where they were not optimal for all. With several outputs they have
    an axis more.
    """

    coef: Array
    intercept: Array
    rows: Array
    steps: Array
    last: Array
    last_at: Any
    known: Array | None = None


class Model(Protocol):
    """Lanes of one model: how a working set is fitted, and how fits are judged on all features.

    `grad` (F, p) or, with several outputs, (F, p, T) are the gradients where all penalised coefficients are zero,
    `widths` the sizes of working sets.
    """

    part: Leafwise
    intercept: bool
    grad: Array
    widths: tuple[int, ...]

    def fit(self, lane: int, chosen: np.ndarray, block: np.ndarray, before: Fit, tol: Array) -> Fit: ...
    def judge(self, block: np.ndarray, fits: list[Fit]) -> Verdict: ...


def by_working_sets(
    model: Model, folds: bool, strengths: np.ndarray, tol: Array
) -> tuple[Solution, Array | None] | None:
    """Fit all lanes over all strengths, on the host; None where too many features are in use at once."""
    starts = np.asarray(_starts(model.grad, model.part, strengths[0]))
    start = float(starts.max())
    grid, asked = refined(strengths, start)
    run, kept = _Run(model, starts, tol), _Kept(len(grid), asked)
    for where, block in blocks(grid):
        try:
            kept.add(where, run.solve(block, start))
        except _TooManyError:
            return None
        start = block[-1]
    coef, bias, value, gap, steps, scores = kept.columns
    params = {"coef": coef, "intercept": bias} if model.intercept else coef
    return solution(params, value, gap, steps), jnp.asarray(scores) if folds else None


class _Kept:
    """What is known of the strengths that were asked for: columns (lane, strength, ...), each written once."""

    def __init__(self, size: int, asked: np.ndarray) -> None:
        self.place = np.full(size, -1)
        self.place[asked] = np.arange(len(asked))
        self.count = len(asked)
        self.columns: list[np.ndarray] = []

    def add(self, where: slice, block: tuple[_Column, ...]) -> None:
        """The columns of a block of strengths, each a sequence of lanes."""
        if not self.columns:
            self.columns = [self._room(lanes) for lanes in block]
        place = self.place[where]
        asked = np.flatnonzero(place >= 0)
        for column, lanes in zip(self.columns, block, strict=True):
            for to, found in zip(column, lanes, strict=True):
                to[place[asked]] = np.asarray(found)[asked]

    def _room(self, lanes: _Column) -> np.ndarray:
        if not len(lanes):
            return np.zeros((0, self.count))
        return _validate.aligned((len(lanes), self.count, *lanes[0].shape[1:]), lanes[0].dtype)


def refined(strengths: np.ndarray, start: float) -> tuple[np.ndarray, np.ndarray]:
    """Strengths with steps in between where they are far apart, and where the given ones stand in it."""
    grid: list[float] = []
    asked = []
    for s in strengths:
        before = grid[-1] if grid else start
        if s > _DEEPEST * start:
            count = int(np.ceil(np.log(before / s) / -np.log(_COARSE) - 1e-9))
            grid.extend(np.geomspace(before, s, max(count, 1) + 1)[1:-1])
        grid.append(s)
        asked.append(len(grid) - 1)
    return np.asarray(grid, strengths.dtype), np.asarray(asked)


@jax.jit
def _starts(grad: Array, part: Leafwise, strongest: Array) -> Array:
    return jax.vmap(lambda g: quiet(part, g, strongest))(grad)


class _TooManyError(Exception):
    """More features are in use at once than a working set holds."""


class _Run:
    """The state of a path: where every lane stands, its gradients, and the width of the working sets."""

    def __init__(self, model: Model, starts: np.ndarray, tol: Array) -> None:
        self.model, self.tol = model, tol
        zero, none = jnp.zeros(model.grad.shape[1:], tol.dtype), jnp.zeros((1, 0), tol.dtype)
        self.width = model.widths[0]
        self.fits = [Fit(zero[None], jnp.zeros(1, tol.dtype), none, none, zero, at) for at in starts]
        self.grad = self.before = model.grad
        self.before_at: float | None = None
        self.limit = float(floored(tol))

    def solve(self, block: np.ndarray, start: float) -> tuple[_Column, ...]:
        """Fit every lane over the block, add what was missed and fit again until the whole block is certified.

        Coefficients, intercepts, objectives, gaps, steps and scores, each a sequence of lanes.
        """
        before = self.before_at if self.before_at is not None else start
        steps = tuple(np.asarray(s, self.tol.dtype) for s in (start, before, block[-1]))
        ranks = np.array(_expected(self.grad, self.before, self.model.part, *steps))
        used = np.stack([_in_use(fit.last[None]) for fit in self.fits])
        sets = [self._choose(u, r) for u, r in zip(used, ranks, strict=True)]
        begun, fits = list(self.fits), list(self.fits)
        todo = list(range(len(sets)))
        for _ in range(_ROUNDS):
            for lane in todo:
                fits[lane] = self.model.fit(lane, self._padded(sets[lane]), block, begun[lane], self.tol)
            verdict = self.model.judge(block, fits)
            gap, missed = np.asarray(verdict.gap), np.asarray(verdict.missed)
            todo = [k for k in range(len(sets)) if (gap[k] > self.limit).any() and self._adds(sets[k], missed[k])]
            if not todo:
                break
            ranks = np.asarray(_close(verdict.grad, self.model.part, steps[2]))
            for lane in todo:
                used = _in_use(fits[lane].coef) | (missed[lane] > 0)
                sets[lane] = self._choose(used, ranks[lane])
                begun[lane] = begun[lane]._replace(known=_where_certified(fits[lane].coef, gap[lane] <= self.limit))
        self.fits, self.grad = fits, verdict.grad
        self.before_at = float(block[-2]) if block[-2] > block[-1] else None
        self.before = verdict.grad if self.before_at is None else verdict.before
        coef, bias, taken = ([getattr(fit, name) for fit in fits] for name in ("coef", "intercept", "steps"))
        return coef, bias, np.asarray(verdict.value), gap, taken, np.asarray(verdict.scores)

    def _adds(self, chosen: np.ndarray, missed: np.ndarray) -> bool:
        return bool((missed > 0).sum() > (missed[chosen] > 0).sum())

    def _choose(self, used: np.ndarray, rank: np.ndarray) -> np.ndarray:
        """Feature numbers, at most `width`: those in use, then the likeliest."""
        features = len(used)
        need = int(used.sum())
        enough = [width for width in self.model.widths if width >= min(1.25 * need, features)]
        if not enough:
            raise _TooManyError
        self.width = max(self.width, enough[0])
        room = min(self.width, features) - need
        rest = np.flatnonzero((rank > 0) & ~used)
        if len(rest) > room:
            rest = rest[np.argpartition(-rank[rest], room)[:room]]
        return np.sort(np.concatenate([np.flatnonzero(used), rest]))

    def _padded(self, chosen: np.ndarray) -> np.ndarray:
        """The feature numbers, then p for as long as the working set is wide."""
        room = self.width - len(chosen)
        return np.pad(chosen, (0, room), constant_values=self.model.grad.shape[1]).astype(np.int32)


def _in_use(coef: Array) -> np.ndarray:
    """The features of coefficients (B, p, ...) that are not zero somewhere."""
    used = (np.asarray(coef) != 0).any(0)
    return used.any(tuple(range(1, used.ndim)))


@jax.jit
def _expected(grad: Array, before: Array, part: Leafwise, at: Array, before_at: Array, to: Array) -> Array:
    """How far coefficients at zero would move at the strength `to`, by gradients extrapolated, with slack."""
    known = before_at > at
    turn = (before - grad) / jnp.where(known, before_at - at, 1.0)
    there = grad + jnp.where(known, 1.0, 0.0) * turn * (to - at)
    slack = jnp.where(known, _SLACK, 1.0) * (at - to)
    reach = jnp.maximum(to - slack, 0.0)
    return jax.vmap(lambda g, h: jnp.maximum(enters(part, g, reach), enters(part, h, reach)))(grad, there)


@jax.jit
def _close(grad: Array, part: Leafwise, to: Array) -> Array:
    """How far coefficients at zero would move at a little less than the strength `to`."""
    return jax.vmap(lambda g: enters(part, g, _CLOSE * to))(grad)


@jax.jit
def _where_certified(coef: Array, certified: np.ndarray) -> Array:
    return jnp.where(certified.reshape(-1, *(1,) * (coef.ndim - 1)), coef, jnp.nan)
