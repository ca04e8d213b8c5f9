"""The players: each takes a problem and a tolerance; what is timed and what the judge sees are apart."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
import sklearn
from sklearn.linear_model import LassoCV, lasso_path

import jaxreg as jr
from bench.judge import Answer
from bench.problems import Problem

_RISK = jr.risk(jr.linear, jr.Squared())
_EPOCHS = 300_000


class Method(NamedTuple):
    """`play(problem, tol)` is timed; `reveal(problem, tol, result)` makes an answer of its result."""

    name: str
    version: str
    play: Callable[[Problem, float], Any]
    reveal: Callable[[Problem, float, Any], Answer]


def _jaxreg(problem: Problem, tol: float) -> Any:
    """One call from NumPy arrays; returns when every number is there."""
    data = (problem.X, problem.y)
    init, strengths = jr.linear_params(data), problem.strengths
    if not problem.folds:
        found = jr.path(_RISK, jr.L1(), data, strengths=strengths, init=init, tol=tol, on_fail="ignore")
        return jax.block_until_ready(found)
    return jax.block_until_ready(
        jr.cross_validate(
            _RISK,
            jr.L1(),
            data,
            folds=problem.masks,
            strengths=strengths,
            init=init,
            tol=tol,
            on_fail="ignore",
        )
    )


def _jaxreg_answer(problem: Problem, tol: float, found: Any) -> Answer:
    if problem.folds:
        params = found.fold_params
        return Answer(np.asarray(params["coef"]), np.asarray(params["intercept"]), np.asarray(found.scores))
    return Answer(np.asarray(found.params["coef"])[None], np.asarray(found.params["intercept"])[None])


def _is_tall(problem: Problem) -> bool:
    return problem.X.shape[0] > problem.X.shape[1]


def _sklearn_path(X: np.ndarray, y: np.ndarray, strengths: np.ndarray, tol: float, gram: bool) -> Answer:
    """`lasso_path` has no intercept: centre first, as LassoCV does. `gram` where rows outnumber columns."""
    x_mean, y_mean = X.mean(0), y.mean()
    centred = np.asfortranarray(X - x_mean)
    _, coef, _ = lasso_path(
        centred, y - y_mean, alphas=strengths, precompute=gram, tol=tol, max_iter=_EPOCHS, copy_X=False
    )
    return Answer(coef.T[None], (y_mean - x_mean @ coef)[None])


def _sklearn(problem: Problem, tol: float) -> Any:
    gram = _is_tall(problem)
    if not problem.folds:
        return _sklearn_path(problem.X, problem.y, problem.strengths, tol, gram)
    splits = [(np.flatnonzero(~mask), np.flatnonzero(mask)) for mask in problem.masks]
    model = LassoCV(
        alphas=problem.strengths,
        cv=splits,
        precompute=gram,
        tol=tol,
        max_iter=_EPOCHS,
        n_jobs=os.cpu_count(),
    )
    return model.fit(problem.X, problem.y)


def _sklearn_answer(problem: Problem, tol: float, found: Any) -> Answer:
    """LassoCV keeps scores alone: the same calls that it makes, once more, for the coefficients."""
    if not problem.folds:
        return found
    gram = _is_tall(problem)
    fits = [_sklearn_path(X, y, problem.strengths, tol, gram) for X, y in problem.samples()]
    coef, intercept = (np.concatenate(parts) for parts in zip(*(fit[:2] for fit in fits), strict=True))
    return Answer(coef, intercept, 0.5 * found.mse_path_.T)


METHODS = (
    Method("jaxreg", jr.__version__, _jaxreg, _jaxreg_answer),
    Method("scikit-learn", sklearn.__version__, _sklearn, _sklearn_answer),
)
