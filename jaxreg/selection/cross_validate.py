"""Cross-validation: all folds and strengths in one compiled call, a certificate for every cell."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg import _validate
from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike, Data, PyTree
from jaxreg.paths._design import Sparse
from jaxreg.paths._fit import fit_all, tell_route
from jaxreg.paths._posed import pose, strengths_for
from jaxreg.paths.path import Path
from jaxreg.penalties import Penalty
from jaxreg.risk import MultitaskRisk, Risk
from jaxreg.selection.folds import block_order, fold_masks
from jaxreg.solvers._loop import Solution, Solver
from jaxreg.solvers.minimize import OnFail, report


@pytree
class CrossValidation:
    """Held-out risks of K folds at L strengths, and the path fitted to all rows.

    `scores` and `gap` have shape (K, L); `best` is the index of the smallest mean score, `one_se` that of the largest
    strength whose mean score is within one standard error of it; `fold_params` are the fits of the folds, (K, L, ...).
    """

    strengths: Array
    scores: Array
    gap: Array
    status: Array
    best: Array
    one_se: Array
    path: Path
    fold_params: Any

    @property
    def mean(self) -> Array:
        """Mean score over folds, shape (L,)."""
        return jnp.mean(self.scores, 0)

    @property
    def standard_error(self) -> Array:
        """Standard deviation of the scores over folds divided by the square root of their number, shape (L,)."""
        return _standard_error(self.scores)

    @property
    def params(self) -> PyTree:
        """Parameters fitted to all rows at the best strength."""
        return self.path[self.best]


def cross_validate(
    risk: Risk | MultitaskRisk,
    penalty: Penalty,
    data: Data,
    *,
    folds: Any = 10,
    strengths: ArrayLike | None = None,
    num: int = 100,
    ratio: float | None = None,
    weights: ArrayLike | None = None,
    init: PyTree | None = None,
    solver: Solver | Literal["auto"] | None = None,
    tol: ArrayLike = 1e-6,
    max_steps: int = 10_000,
    key: Array | None = None,
    scoring: Callable[[PyTree, Data, Array], Array] | None = None,
    on_fail: OnFail = "warn",
    route: str | None = None,
) -> CrossValidation:
    """Score every strength on held-out rows, and fit the path to all rows, in one compiled call.

    `folds` is a number (consecutive blocks, shuffled with `key`; within each task where there are tasks), boolean
    masks (K, n) or (K, tasks, m) with True for held out, or (train, test) index pairs such as a scikit-learn
    splitter gives. A fold is a 0/1 weight: the fits equal those on sliced rows. The score is the held-out risk
    (half the mean squared error for `Squared`; summed over tasks), or `scoring(params, data, weights)`, smaller
    being better. Strengths, `init`, `tol` and `route` are as in `path`; the default strengths are those of all rows.

    Raises TypeError or ValueError for arguments that cannot be used, naming them.

    >>> import numpy as np, jaxreg as jr
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(40, 3)).astype("float32")
    >>> y = X[:, 0] + 0.1 * rng.normal(size=40).astype("float32")
    >>> cv = jr.cross_validate(jr.risk(jr.linear, jr.Squared()), jr.L1(), (X, y), folds=5, num=20)
    >>> cv.scores.shape, bool(cv.one_se <= cv.best), (cv.path[cv.one_se] != 0).tolist()
    ((5, 20), True, [True, False, False])
    """
    where = "cross_validate"
    posed = pose(where, risk, penalty, init, data, weights, solver, route)
    w = posed.weights
    if scoring is not None and isinstance(posed.data[0], Sparse):
        raise TypeError(f"{where}: scoring serves dense X alone; leave it out, or densify with X.toarray().")
    if _validate.traced(w, folds):
        raise TypeError(f"{where} chooses folds on the host: call it outside of jit and vmap.")
    masks = fold_masks(where, folds, np.asarray(w), key)
    grid = strengths_for(where, posed, strengths, num, ratio)
    tol = _validate.number(where, "tol", tol, w.dtype, low=0.0)
    order = block_order(masks) if posed.way.route in ("moments", "newton") else None
    lanes, taken = fit_all(posed, masks, order, grid, tol, max_steps)
    tell_route(where, route, taken, grid, tol)
    fits, scores = lanes
    report(where, fits.status, fits.gap, on_fail)
    if scoring is not None:
        scores = _score(scoring, fits.params, posed.data, w, jnp.asarray(masks))
    assert scores is not None
    return assemble(grid, fits, scores, taken)


def assemble(strengths: Array, fits: Solution, scores: Array, route: str) -> CrossValidation:
    """The result of K + 1 lanes of fits, those of the folds and that of all rows, and of the folds' scores (K, L)."""
    each, whole = _apart(fits)
    best, one_se = choose_strength(scores)
    path = Path(strengths, whole.params, whole.value, whole.gap, whole.status, whole.steps, route)
    return CrossValidation(strengths, scores, each.gap, each.status, best, one_se, path, each.params)


def _apart(fits: Solution) -> tuple[Solution, Solution]:
    """The lanes of the folds and the last one; in the host's memory the folds' are not copied."""
    whole = jax.tree.map(lambda x: x[-1], fits)
    if not _validate.traced(fits) and _validate.on_host(fits.gap):
        return jax.device_put(jax.tree.map(lambda x: np.asarray(x)[:-1], fits)), whole
    return jax.tree.map(lambda x: x[:-1], fits), whole


def choose_strength(scores: Array) -> tuple[Array, Array]:
    """Indices of the smallest mean score and of the largest strength within one standard error of it; NaN loses."""
    mean = jnp.mean(scores, 0)
    mean = jnp.where(jnp.isnan(mean), jnp.inf, mean)
    best = jnp.argmin(mean)
    return best, jnp.argmax(mean <= mean[best] + _standard_error(scores)[best])


def _standard_error(scores: Array) -> Array:
    folds = scores.shape[0]
    return jnp.std(scores, 0, ddof=1) / np.sqrt(folds) if folds > 1 else jnp.zeros_like(scores[0])


@partial(jax.jit, static_argnums=0)
def _score(scoring: Any, params: PyTree, data: Data, weights: Array, masks: Array) -> Array:
    def fold(pair: tuple[PyTree, Array]) -> Array:
        held = weights * pair[1].astype(weights.dtype)
        return jax.vmap(lambda p: scoring(p, data, held))(pair[0])

    return jax.lax.map(fold, (jax.tree.map(lambda x: x[:-1], params), masks))
