"""Cross-validation of penalties with two strengths: a path for every mix of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxreg import _validate
from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike, Data, PyTree
from jaxreg.penalties import Penalty
from jaxreg.risk import MultitaskRisk, Risk
from jaxreg.selection.cross_validate import CrossValidation, cross_validate
from jaxreg.selection.folds import fold_masks


@pytree
class CrossValidationGrid:
    """A `CrossValidation` for each of M mixes, on the same folds; `best` are the indices of mix and strength.

    `scores` (M, K, L), `mean` (M, L) and `strengths` (M, L) are stacked; `params` are fitted to all rows at the best.
    """

    mixes: Array
    runs: tuple[Any, ...]

    @property
    def strengths(self) -> Array:
        """The strengths of every mix, shape (M, L)."""
        return jnp.stack([run.strengths for run in self.runs])

    @property
    def scores(self) -> Array:
        """Held-out scores of every mix, fold and strength, shape (M, K, L)."""
        return jnp.stack([run.scores for run in self.runs])

    @property
    def mean(self) -> Array:
        """Mean score over folds, shape (M, L)."""
        return jnp.mean(self.scores, 1)

    @property
    def best(self) -> tuple[int, int]:
        """Indices of mix and strength with the smallest mean score; NaN loses, the first of equals wins."""
        mean = np.nan_to_num(np.asarray(self.mean), nan=np.inf, posinf=np.inf)
        mix, strength = np.unravel_index(int(np.argmin(mean)), mean.shape)
        return int(mix), int(strength)

    @property
    def best_run(self) -> CrossValidation:
        """The `CrossValidation` of the best mix."""
        run: CrossValidation = self.runs[self.best[0]]
        return run

    @property
    def params(self) -> PyTree:
        """Parameters fitted to all rows at the best mix and strength."""
        mix, strength = self.best
        return self.runs[mix].path[strength]


def cross_validate_grid(
    risk: Risk | MultitaskRisk,
    penalty_of: Callable[[float], Penalty],
    data: Data,
    *,
    mixes: ArrayLike | tuple[float, ...] = (0.25, 0.5, 0.75),
    folds: Any = 10,
    strengths: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    key: Array | None = None,
    **options: Any,
) -> CrossValidationGrid:
    """Score strength × mix on held-out rows: `cross_validate` of `penalty_of(mix)` for every mix, on the same folds.

    `penalty_of` builds the penalty of a mix, such as `lambda mix: (1 - mix) * L1() + mix * Ridge()`; penalties of one
    form share one compilation. `strengths` multiply it: one grid (L,) for all mixes, one for each (M, L), or None for
    each penalty's own default. `options` are those of `cross_validate`.

    Raises ValueError for mixes that are no finite numbers or strengths of another shape.

    >>> import numpy as np, jaxreg as jr
    >>> X = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
    >>> net = lambda mix: (1 - mix) * jr.L1() + mix * jr.Ridge()
    >>> found = jr.cross_validate_grid(jr.risk(jr.linear, jr.Squared()), net, (X, X[:, 0]), folds=4, num=5)
    >>> found.scores.shape, found.best, found.params.shape
    ((3, 4, 5), (0, 4), (3,))
    """
    where = "cross_validate_grid"
    given = np.asarray(mixes, float)
    if given.ndim != 1 or not given.size or not np.isfinite(given).all():
        raise ValueError(f"{where}: mixes are {mixes!r}, expected a sequence of finite numbers.")
    grids = _grids(where, strengths, len(given))
    shape = np.shape(data[1])[: 2 if isinstance(risk, MultitaskRisk) else 1]
    w = np.ones(shape) if weights is None else np.asarray(_validate.array(where, "weights", weights))
    shared = fold_masks(where, folds, w, key)
    runs = tuple(
        cross_validate(risk, penalty_of(float(mix)), data, folds=shared, strengths=grid, weights=weights, **options)
        for mix, grid in zip(given, grids, strict=True)
    )
    return CrossValidationGrid(jnp.asarray(given), runs)


def _grids(where: str, strengths: Any, count: int) -> list[Any]:
    if strengths is None:
        return [None] * count
    made = np.asarray(strengths)
    if made.ndim not in (1, 2) or (made.ndim == 2 and len(made) != count):
        raise ValueError(f"{where}: strengths have shape {made.shape}, expected (L,) or ({count}, L).")
    return [made] * count if made.ndim == 1 else list(made)
