"""Cross-validation of any fit: models that no path serves, such as those that are not convex."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg import _validate
from jaxreg._typing import Array, ArrayLike, Data, PyTree
from jaxreg.paths._grid import check_strengths
from jaxreg.risk import MultitaskRisk, Risk
from jaxreg.selection.cross_validate import CrossValidation, assemble
from jaxreg.selection.folds import fold_masks
from jaxreg.solvers import Solution
from jaxreg.solvers.minimize import OnFail, report


def cross_validate_fit(
    fit: Callable[[Array, Data, Array], Solution],
    risk: Risk | MultitaskRisk,
    data: Data,
    *,
    strengths: ArrayLike,
    folds: Any = 10,
    weights: ArrayLike | None = None,
    key: Array | None = None,
    scoring: Callable[[PyTree, Data, Array], Array] | None = None,
    on_fail: OnFail = "warn",
) -> CrossValidation:
    """Score `fit(strength, data, weights)` on held-out rows, every strength fitted afresh.

    It serves what `cross_validate` cannot warm-start from strength to strength: stages, factors, a fit of one's own.
    `fit` is a pure function that returns a `Solution`, vmapped over strengths, fold by fold; calls with one
    `jax.tree_util.Partial` of changed arguments share a compilation. Folds, scores and the result are as in
    `cross_validate`.

    Raises TypeError or ValueError for arguments that cannot be used, naming them.

    >>> import numpy as np, jaxreg as jr
    >>> X = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
    >>> risk = jr.risk(jr.linear, jr.Squared())
    >>> fit = lambda s, data, w: jr.minimize(risk, jr.SCAD(s, 3.7), np.zeros(3, "float32"), data, w)
    >>> cv = jr.cross_validate_fit(fit, risk, (X, X[:, 0]), strengths=[0.5, 1.0, 4.0], folds=4)
    >>> cv.scores.shape, cv.strengths[cv.best].item(), (cv.params != 0).tolist()
    ((4, 3), 0.5, [True, False, False])
    """
    where = "cross_validate_fit"
    tasks = isinstance(risk, MultitaskRisk)
    data, w = _validate.problem(where, data, weights, tasks=tasks, labels=risk.loss.labels)
    if _validate.traced(w, folds):
        raise TypeError(f"{where} chooses folds on the host: call it outside of jit and vmap.")
    grid = check_strengths(where, strengths, w.dtype)
    masks = fold_masks(where, folds, np.asarray(w), key)
    pure = fit if isinstance(fit, jax.tree_util.Partial) else jax.tree_util.Partial(fit)
    fits, scores = _cells(scoring, pure, risk, grid, data, w, jnp.asarray(masks))
    report(where, fits.status, fits.gap, on_fail)
    return assemble(grid, fits, scores, "generic")


@partial(jax.jit, static_argnums=0)
def _cells(
    scoring: Any, fit: Any, risk: Any, strengths: Array, data: Data, weights: Array, masks: Array
) -> tuple[Solution, Array]:
    """Fits (K + 1, L) without each fold and, last, to all rows, and held-out scores (K, L)."""
    score = risk if scoring is None else scoring

    def fold(mask: Array) -> tuple[Solution, Array]:
        held = weights * mask.astype(weights.dtype)
        fits = jax.vmap(lambda s: fit(s, data, weights - held))(strengths)
        return fits, jax.vmap(lambda p: score(p, data, held))(fits.params)

    fits, scores = jax.lax.map(fold, jnp.concatenate([masks, jnp.zeros_like(masks[:1])]))
    return fits, scores[:-1]
