"""Regularisation paths: one model over many strengths, with a certificate for every one."""

from __future__ import annotations

from typing import Any, Literal

import jax
import jax.numpy as jnp

from jaxreg import _tree, _validate
from jaxreg._pytree import pytree, static
from jaxreg._typing import Array, ArrayLike, Data, PyTree
from jaxreg.paths._blocks import top_of
from jaxreg.paths._grid import check_strengths, default_ratio, is_gauge, smooth_grid, spaced, top_strength
from jaxreg.paths._null import null_top
from jaxreg.paths._routes import Way, choose_way, fit_all
from jaxreg.penalties import Penalty
from jaxreg.risk import MultitaskRisk, Risk
from jaxreg.solvers._loop import Solver
from jaxreg.solvers._problem import Smooth, bind
from jaxreg.solvers.minimize import OnFail, choose, prepare, report


@pytree
class Path:
    """Fits over strengths, leading axis L, strengths descending.

    `value` is the whole objective, `gap` its relative gap, `status` a `Status` number per strength; `route` says how
    they were computed: from `moments` (tall least squares), on the `rows` (wide least squares), by a `working set` of
    features (very wide least squares with an elementwise penalty), or `generic`.
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
    of `Path`; None takes the fastest.

    Raises TypeError or ValueError for arguments that cannot be used, naming them.

    >>> import numpy as np, jaxreg as jr
    >>> X, y = np.eye(3, dtype="float32"), np.array([3.0, -1.0, 0.2], "float32")
    >>> fits = jr.path(jr.risk(jr.linear, jr.Squared()), jr.L1(), (X, y), num=5)
    >>> fits.params.shape, (fits.params[0] == 0).all().item(), fits.route
    ((5, 3), True, 'rows')
    """
    where = "path"
    data, w, penalty, init = prepare(where, risk, penalty, init, data, weights)
    f = bind(risk, data, w)
    way = choose_way(where, route, f, penalty, init, solver)
    chosen = choose(f, penalty, init, solver)
    grid = strengths_for(where, f, penalty, chosen, init, strengths, num, ratio, way, w)
    tol = _validate.number(where, "tol", tol, w.dtype, low=0.0)
    (fits, _), taken = fit_all(way, risk, penalty, chosen, data, w, None, None, grid, init, tol, max_steps)
    whole = jax.tree.map(lambda x: x[-1], fits)
    report(where, whole.status, whole.gap, on_fail)
    return Path(grid, whole.params, whole.value, whole.gap, whole.status, whole.steps, taken)


def strengths_for(
    where: str,
    f: Smooth,
    penalty: Penalty,
    solver: Solver,
    init: PyTree,
    strengths: Any,
    num: int,
    ratio: float | None,
    way: Way,
    weights: Array,
) -> Array:
    """The strengths given, or the default grid for this problem."""
    if strengths is not None:
        return check_strengths(where, strengths, _tree.dtype(init))
    gauge = is_gauge(penalty, init)
    below = default_ratio(gauge, ratio)
    if num < 1 or not 0 < below <= 1:
        raise ValueError(f"{where}: num is {num} and ratio {below}, expected num >= 1 and 0 < ratio <= 1.")
    quick = null_top(f, penalty, init) if way.vector is None else top_of(f.data, weights, way.vector)
    top = _grid_top(f, penalty, solver, init, gauge) if quick is None else jnp.asarray(quick, _tree.dtype(init))
    return spaced(jnp.where(top > 0, top, 1.0), num, below)


def _top_of(f: Smooth, penalty: Penalty, solver: Solver, init: PyTree, gauge: bool) -> Array:
    return top_strength(f, penalty, solver, init) if gauge else smooth_grid(f, init)


_grid_top = jax.jit(_top_of, static_argnums=4)
