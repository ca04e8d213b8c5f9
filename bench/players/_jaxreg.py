"""jaxreg: one call from NumPy arrays, which returns when every number is there; for a list of problems one call too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

import jaxreg as jr
from bench.judge import Answer
from bench.players._player import Player
from bench.problems import Problem

RISKS = {
    "squared": jr.risk(jr.linear, jr.Squared()),
    "logistic": jr.risk(jr.linear, jr.Logistic()),
    "poisson": jr.risk(jr.linear, jr.Poisson()),
}


def play(problem: Problem, tol: float) -> Any:
    data, risk = (problem.X, problem.y), RISKS[problem.loss]
    init = jr.linear_params(data)
    options: dict[str, Any] = {"strengths": problem.strengths, "init": init, "tol": tol, "on_fail": "ignore"}
    if problem.folds:
        return jax.block_until_ready(jr.cross_validate(risk, jr.L1(), data, folds=problem.masks, **options))
    return jax.block_until_ready(jr.path(risk, jr.L1(), data, **options))


def reveal(problem: Problem, tol: float, found: Any) -> Answer:
    if problem.folds:
        params = found.fold_params
        return Answer(np.asarray(params["coef"]), np.asarray(params["intercept"]), np.asarray(found.scores))
    return Answer(np.asarray(found.params["coef"])[None], np.asarray(found.params["intercept"])[None])


def play_all(problems: Sequence[Problem], tol: float) -> Any:
    """Independent problems of the same strengths and number of folds as ragged tasks of one call."""
    T = jr.tasks([(problem.X, problem.y) for problem in problems])
    joint, init = jr.multitask(RISKS[problems[0].loss], axes=0), jr.linear_params(T.data)
    options: dict[str, Any] = {"strengths": problems[0].strengths, "init": init, "tol": tol, "on_fail": "ignore"}
    if not problems[0].folds:
        return jax.block_until_ready(jr.path(joint, jr.L1(), T.data, weights=T.weights, **options))
    masks = np.zeros((problems[0].folds, *T.weights.shape), bool)
    for t, problem in enumerate(problems):
        masks[:, t, : len(problem.y)] = problem.masks
    return jax.block_until_ready(jr.cross_validate(joint, jr.L1(), T.data, folds=masks, weights=T.weights, **options))


def reveal_all(problems: Sequence[Problem], found: Any) -> list[Answer]:
    """One answer per problem."""
    folds = problems[0].folds
    params = found.fold_params if folds else jax.tree.map(lambda x: x[None], found.params)
    coef, intercept = np.asarray(params["coef"]), np.asarray(params["intercept"])
    return [Answer(coef[:, :, t], intercept[:, :, t]) for t in range(len(problems))]


def make(version: str) -> list[Player]:
    return [Player("jaxreg", version, tuple(RISKS), play, reveal)]
