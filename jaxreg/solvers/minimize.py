"""Minimise risk + penalty: one call for one fit, under jit, vmap, grad and jvp."""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg import _tree, _validate
from jaxreg._typing import Array, ArrayLike, Data, PyTree
from jaxreg.penalties import Penalty
from jaxreg.risk import MultitaskRisk, Risk, linear, linear_params
from jaxreg.solvers._certificate import certify
from jaxreg.solvers._descent import first_step
from jaxreg.solvers._loop import Solution, Solver, Status, run_with_duals
from jaxreg.solvers._normal import DENSE
from jaxreg.solvers._problem import Smooth, bind
from jaxreg.solvers._quadratic_model import is_modelled, is_small_model, is_split
from jaxreg.solvers._reduce import centred, coefficients, least_squares, null_objective, null_reference
from jaxreg.solvers._saddle import linear_systems, saddle, two_blocks
from jaxreg.solvers._terms import Dual
from jaxreg.solvers.admm import ADMM
from jaxreg.solvers.anderson import AndersonSplitting
from jaxreg.solvers.damped import DampedNewton, is_small
from jaxreg.solvers.davis_yin import DavisYin
from jaxreg.solvers.fista import FISTA
from jaxreg.solvers.implicit import solution_tangent
from jaxreg.solvers.newton import Newton
from jaxreg.solvers.pdhg import PDHG
from jaxreg.solvers.proximal_newton import ProximalNewton, serves

OnFail = Literal["warn", "raise", "ignore"]


def minimize(
    risk: Risk | MultitaskRisk,
    penalty: Penalty,
    init: PyTree,
    data: Data,
    weights: ArrayLike | None = None,
    *,
    solver: Solver | Literal["auto"] | None = None,
    tol: ArrayLike = 1e-6,
    max_steps: int = 10_000,
    on_fail: OnFail = "warn",
) -> Solution:
    """Minimise risk(params, data, weights) + penalty(params) from `init`.

    Stops when the relative duality gap (scaled KKT residual where no dual bound is known) is at most `tol`, or
    after `max_steps` updates, rounded up to the solver's stride. `solver=None` or "auto" takes `DampedNewton()` for
    linear models of moderate size with a smooth penalty, `Newton()` for linear models with squared loss and a
    convex penalty, `ProximalNewton()` for other losses and a moderate number of features, else `FISTA()`; where the
    penalty has no prox as a whole `AndersonSplitting()`, `ProximalNewton()`, `DavisYin()`, `ADMM()` or `PDHG()` on its
    blocks, `ADMM()` and `PDHG()` for a loss without gradient, too. The solution can be differentiated, forward and
    reverse, in strengths, weights and data: by the implicit function theorem at the fixed point of the prox steps,
    restricted to the active set by the derivative of the prox (Bertrand et al. 2022). An unpenalised leaf `intercept`
    is fitted beside the coefficients. Outside of transformations a fit that did not converge warns (`on_fail`);
    inside, read `status`.

    Raises TypeError or ValueError for data, weights, strengths or parameters that cannot be used, naming them.

    >>> import numpy as np, jaxreg as jr
    >>> X, y = np.eye(3, dtype="float32"), np.array([3.0, -1.0, 0.2], "float32")
    >>> sol = jr.minimize(jr.risk(jr.linear, jr.Squared()), 0.1 * jr.L1(), np.zeros(3), (X, y))
    >>> [round(w, 2) for w in sol.params.tolist()]
    [2.7, -0.7, 0.0]
    """
    where = "minimize"
    data, w, penalty, init = prepare(where, risk, penalty, init, data, weights)
    dtype = _tree.dtype(init)
    tol = _validate.number(where, "tol", tol, dtype, low=0.0)
    f = bind(risk, data, w)
    chosen = choose(f, penalty, init, solver)
    solution = fit_one(f, penalty, chosen, init, tol, int(max_steps))
    report(where, solution.status, solution.gap, on_fail)
    return solution


def prepare(
    where: str,
    risk: Risk | MultitaskRisk,
    penalty: Penalty,
    init: PyTree | None,
    data: Data,
    weights: Any,
    keep: bool = False,
) -> tuple[Data, Array, Penalty, PyTree]:
    """Everything checked and in one dtype; without `init`, zeros of a linear model without intercept.

    `keep` as in `_validate.problem`.
    """
    check_model(where, risk, penalty)
    tasks = isinstance(risk, MultitaskRisk)
    data, w = _validate.problem(where, data, weights, tasks=tasks, labels=risk.loss.labels, keep=keep)
    _validate.targets(where, data[1], w, risk.loss)
    dtype = w.dtype
    init = _validate.parameters(where, _zeros(where, risk, data) if init is None else init, dtype)
    penalty = _tree.cast(penalty, dtype)
    jax.eval_shape(_objective, risk, penalty, init, data, w)
    return data, w, penalty, init


@jax.jit
def _objective(risk: Risk | MultitaskRisk, penalty: Penalty, params: PyTree, data: Data, weights: Array) -> Any:
    return penalty.value(params), risk(params, data, weights)


def check_model(where: str, risk: Any, penalty: Any) -> None:
    """Raise TypeError or ValueError for a risk or a penalty that is none, or whose own numbers cannot be used."""
    if not isinstance(risk, (Risk, MultitaskRisk)):
        raise TypeError(f"{where}: risk is {type(risk).__name__}, expected jaxreg.risk(...) or jaxreg.multitask(...).")
    if not isinstance(penalty, Penalty):
        raise TypeError(f"{where}: penalty is {type(penalty).__name__}, expected a penalty such as 0.1 * jaxreg.L1().")
    penalty.check()
    risk.loss.check()


def _zeros(where: str, risk: Risk | MultitaskRisk, data: Data) -> PyTree:
    if risk.predict is not linear:
        raise ValueError(f"{where}: init is needed to know the parameters' form; give zeros of that form.")
    if risk.loss.labels:
        raise ValueError(f"{where}: give init=jaxreg.linear_params(data, outputs=number_of_classes) for class labels.")
    X, y = data
    return linear_params((X, y[..., 0]) if risk.loss.paired else data, intercept=False)


def choose(f: Smooth, penalty: Penalty, init: PyTree, solver: Solver | Literal["auto"] | None = None) -> Solver:
    """The solver given, else by the problem's form.

    With one prox and a smooth loss DampedNewton where nothing has a kink and sizes are moderate, Newton where its
    reduction is exact and the penalty convex and not a bounded set, AndersonSplitting for those and for penalties that
    tie tasks, ProximalNewton where a loss has curvature, else FISTA. Blocks with a prox each: AndersonSplitting for
    least squares, ProximalNewton for other linear models of moderate size, else DavisYin for two. More, linear maps or
    a loss without gradient: ADMM where its systems are small, else PDHG.
    """
    if isinstance(solver, str) and solver != "auto":
        raise ValueError(f"solver is {solver!r}, expected 'auto' or a solver such as jaxreg.FISTA().")
    if solver is not None and not isinstance(solver, str):
        return solver
    s = saddle(f, penalty, init)
    if not s.terms:
        return _choose_plain(f, penalty, init)
    if f.is_squared and is_split(f, penalty, init) and is_small_model(f):
        return AndersonSplitting()
    if is_modelled(f, penalty, init) and is_small_model(f):
        return ProximalNewton()
    if two_blocks(s):
        return DavisYin()
    small = sum(x.size for x in jax.tree.leaves(init)) <= DENSE
    return ADMM() if small and linear_systems(f, s) else PDHG()


def _choose_plain(f: Smooth, penalty: Penalty, init: PyTree) -> Solver:
    if penalty.smooth and penalty.convex and f.risk.loss.dual and is_small(f, init):
        return DampedNewton()
    found = coefficients(f, penalty, init) if penalty.convex and f.is_squared else None
    if found is not None:
        if isinstance(found.init, dict) or (f.is_multitask and not found.penalty.elementwise):
            return AndersonSplitting()
        if not penalty.bounded:
            return Newton()
        return AndersonSplitting() if is_small_model(f) else FISTA()
    return ProximalNewton() if f.risk.loss.dual and serves(f, penalty, init) else FISTA()


@partial(jax.custom_jvp, nondiff_argnums=(5,))
def solve(f: Smooth, penalty: Penalty, solver: Solver, init: PyTree, tol: Array, max_steps: int) -> Solution:
    """Run a solver on centred features; Newton runs on the reduced problem and is certified again on the given one."""
    return _solve_with_duals(f, penalty, solver, init, tol, max_steps)[0]


def _solve_with_duals(
    f: Smooth, penalty: Penalty, solver: Solver, init: PyTree, tol: Array, max_steps: int
) -> tuple[Solution, tuple[Dual, ...]]:
    if not isinstance(solver, (AndersonSplitting, Newton)):
        same, start, back = centred(f, penalty, init)
        fit, duals = run_with_duals(same, penalty, solver, start, tol, max_steps, null_objective(f, penalty, init))
        return Solution(back(fit.params), fit.value, fit.gap, fit.steps, fit.status), duals
    reduced = least_squares(f, penalty, init)
    if reduced is None:
        raise TypeError(
            f"{type(solver).__name__}() solves linear models with Squared() loss, parameters w or {{'coef', "
            "'intercept'}} and a penalty on the coefficients; use FISTA() here."
        )
    ref = null_reference(f, penalty, init)

    split = saddle(f, penalty, init).terms
    step = first_step(reduced.f, reduced.init) if split else jnp.ones_like(ref.objective)

    def judge(small: PyTree, duals: tuple[Dual, ...]) -> tuple[Array, Array]:
        return certify(f, penalty, reduced.restore(small), ref, step, duals)

    fit, duals = run_with_duals(reduced.f, reduced.g, solver, reduced.init, tol, max_steps, ref.objective, judge)
    return Solution(reduced.restore(fit.params), fit.value, fit.gap, fit.steps, fit.status), duals


@solve.defjvp
def _solve_jvp(max_steps: int, primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Solution, Solution]:
    f, penalty, solver, init, tol = primals
    solution, duals = _solve_with_duals(f, penalty, solver, init, tol, max_steps)
    return solution, solution_tangent(f, penalty, solution, duals, tangents[0], tangents[1])


fit_one = jax.jit(solve, static_argnums=5)


def report(where: str, status: Array, gap: Array, on_fail: OnFail) -> None:
    """Tell about lanes that did not converge, outside of transformations."""
    if on_fail not in ("warn", "raise", "ignore"):
        raise ValueError(f"{where}: on_fail is {on_fail!r}, expected 'warn', 'raise' or 'ignore'.")
    if on_fail == "ignore" or _validate.traced(status):
        return
    codes = np.asarray(status)
    if not codes.any():
        return
    counts = ", ".join(f"{int((codes == s).sum())} {s.name}" for s in Status if s and (codes == s).any())
    worst = np.nanmax(np.append(np.asarray(gap, float).ravel(), 0.0))
    message = (
        f"{where}: {int((codes != 0).sum())} of {codes.size} fits did not converge ({counts}); "
        f"largest relative gap {worst:.1e}. Raise max_steps or tol, or "
        "compute in float64."
    )
    if on_fail == "raise":
        raise RuntimeError(message)
    warnings.warn(message, _validate.ConvergenceWarning, stacklevel=3)
