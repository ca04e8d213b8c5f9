"""Regularisation paths: one model over many strengths, with a certificate for every one."""

from __future__ import annotations

from typing import Any, Literal

import jax

from jaxreg import _validate
from jaxreg._pytree import pytree, static
from jaxreg._typing import Array, ArrayLike, Data, PyTree
from jaxreg.paths._fit import fit_all, tell_route
from jaxreg.paths._posed import pose, strengths_for
from jaxreg.penalties import Penalty
from jaxreg.risk import MultitaskRisk, Risk
from jaxreg.solvers._loop import Solver
from jaxreg.solvers.minimize import OnFail, report


@pytree
class Path:
    """Fits over strengths, leading axis L, strengths descending.

    `value` is the whole objective, `gap` its relative gap, `status` a `Status` number per strength; `route` says how
    they were computed: from `moments` (tall least squares), on the `rows` (wide least squares), by a `working set` of
    features (many features and an elementwise penalty, or one on norms of the rows of several outputs), by `newton`
    steps of all folds together (other smooth losses, few features and an elementwise penalty), or `generic`.
    """

    strengths: Array
    params: Any
    value: Array
    gap: Array
    status: Array
    steps: Array
    route: str = static(default="generic")

    def __getitem__(self, index: Any) -> PyTree:
        """The parameters at one index, as in `path[cv.best]`."""
        return jax.tree.map(lambda x: x[index], self.params)


def path(
    risk: Risk | MultitaskRisk,
    penalty: Penalty,
    data: Data,
    *,
    strengths: ArrayLike | None = None,
    num: int = 100,
    ratio: float | None = None,
    weights: ArrayLike | None = None,
    init: PyTree | None = None,
    solver: Solver | Literal["auto"] | None = None,
    tol: ArrayLike = 1e-6,
    max_steps: int = 10_000,
    on_fail: OnFail = "warn",
    route: str | None = None,
) -> Path:
    """Minimise risk + s * penalty for every strength s, from strong to weak, each started from the one before.

    `strengths` are used as given, sorted in descending order; by default `num` of them, evenly on a log scale from
    `strength_max` down to `ratio` times it (1e-2; for penalties that exclude nothing, such as Ridge, 1e-6 below ten
    times the risk's curvature). `init` gives the form of the parameters, by default a linear model without intercept;
    `linear_params(data)` adds one. `tol` is the relative gap asked of every strength. `route` forces one of the routes
    of `Path`, with a warning where it has to be left for another one; None takes the fastest. X may be sparse, of
    scipy.sparse or BCOO or BCSR of jax.experimental.sparse, and is never made dense, for smooth losses of one output
    with a dual bound and elementwise thresholding penalties.

    Raises TypeError or ValueError for arguments that cannot be used, naming them.

    >>> import numpy as np, jaxreg as jr
    >>> X, y = np.eye(3, dtype="float32"), np.array([3.0, -1.0, 0.2], "float32")
    >>> fits = jr.path(jr.risk(jr.linear, jr.Squared()), jr.L1(), (X, y), num=5)
    >>> fits.params.shape, (fits.params[0] == 0).all().item(), fits.route
    ((5, 3), True, 'moments')
    """
    where = "path"
    posed = pose(where, risk, penalty, init, data, weights, solver, route)
    grid = strengths_for(where, posed, strengths, num, ratio)
    tol = _validate.number(where, "tol", tol, posed.weights.dtype, low=0.0)
    (fits, _), taken = fit_all(posed, None, None, grid, tol, max_steps)
    tell_route(where, route, taken, grid, tol)
    whole = _last(fits)
    report(where, whole.status, whole.gap, on_fail)
    return Path(grid, whole.params, whole.value, whole.gap, whole.status, whole.steps, taken)


_last = jax.jit(lambda fits: jax.tree.map(lambda x: x[-1], fits))
