"""jaxreg: one call from NumPy arrays, which returns when every number is there."""

from __future__ import annotations

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


def make(version: str) -> list[Player]:
    return [Player("jaxreg", version, tuple(RISKS), play, reveal)]
