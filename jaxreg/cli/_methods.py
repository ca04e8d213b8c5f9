"""The ways of sharing that are compared: each a risk, a penalty and data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

import jaxreg as jr
from jaxreg.cli._problem import Problem

LOSSES = {"squared": jr.Squared(), "logistic": jr.Logistic(), "huber": jr.Huber(), "poisson": jr.Poisson()}


@dataclass(frozen=True)
class Method:
    """A way of sharing: its name and kind (pooled, independent or sharing), and its penalty.

    The penalty leaves intercepts alone unless `intercept_too`: then they are one more coefficient.
    """

    name: str
    kind: str
    penalty: Any
    counts: str = "nonzeros"
    intercept_too: bool = False


POOLED = Method("pooled", "pooled", jr.Ridge())
INDEPENDENT = (
    Method("independent ridge", "independent", jr.Ridge()),
    Method("independent lasso", "independent", jr.L1()),
    Method("elastic net", "independent", 0.5 * jr.L1() + 0.5 * jr.Ridge()),
)
SHARING = (
    Method("joint features", "sharing", jr.L2(axis=0)),
    Method("low rank", "sharing", jr.Nuclear(), counts="rank"),
    Method("towards the mean", "sharing", jr.ToMean(axis=0), intercept_too=True),
)


def methods(tasks: int) -> tuple[Method, ...]:
    """The methods that mean something for this many tasks."""
    return (POOLED, *INDEPENDENT, *SHARING) if tasks > 1 else INDEPENDENT


@dataclass(frozen=True, eq=False)
class Setup:
    """What `cross_validate` is given for a method; `share` (T,) is what each task counts for."""

    risk: Any
    data: Any
    weights: Any
    folds: np.ndarray
    init: Any
    share: np.ndarray


def setup(method: Method, problem: Problem) -> Setup:
    """One risk over all rows for the pooled method, else one term per task that counts as its share of the rows."""
    single = jr.risk(jr.linear, LOSSES[problem.loss])
    X, y = problem.train.data
    if method.kind == "pooled":
        kept = np.asarray(problem.train.weights) > 0
        flat = (jnp.asarray(np.asarray(X)[kept]), jnp.asarray(np.asarray(y)[kept]))
        return Setup(single, flat, None, problem.folds[:, kept], jr.linear_params(flat), np.ones(1))
    if method.intercept_too:
        X = jnp.concatenate([X, jnp.ones_like(X[..., :1])], -1)
    share = problem.counts / problem.counts.sum()
    init = jr.linear_params((X, y), intercept=not method.intercept_too)
    joint = jr.multitask(single, 0, task_weights=share)
    return Setup(joint, (X, y), problem.train.weights, problem.folds, init, share)


def fits(method: Method, problem: Problem, params: Any) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (L, T, p) and intercepts (L, T) of a path, whatever form its parameters have."""
    if method.intercept_too:
        whole = np.asarray(params)
        return whole[..., :-1], whole[..., -1]
    coef, intercept = np.asarray(params["coef"]), np.asarray(params["intercept"])
    if method.kind == "pooled":
        tasks = len(problem.ids)
        return np.repeat(coef[:, None], tasks, 1), np.repeat(intercept[:, None], tasks, 1)
    return coef, intercept
