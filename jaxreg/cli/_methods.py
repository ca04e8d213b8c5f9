"""The ways of sharing that are compared: each a risk, a penalty and data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxreg as jr
from jaxreg.cli._named import DEFAULT, NAMED, Named
from jaxreg.cli._problem import Problem
from jaxreg.cli._scale import Scale, scale_of
from jaxreg.cli._strengths import strengths

LOSSES = {"squared": jr.Squared(), "logistic": jr.Logistic(), "huber": jr.Huber(), "poisson": jr.Poisson()}


@dataclass(frozen=True)
class Method:
    """A way of sharing: its name and kind (pooled, independent or sharing), and its penalty or its named model.

    The penalty leaves intercepts alone unless `intercept_too`: then they are one more coefficient.
    """

    name: str
    kind: str
    penalty: Any = None
    counts: str = "nonzeros"
    intercept_too: bool = False
    named: Named | None = None

    @property
    def mixes(self) -> tuple[float, ...]:
        """The mixes of two strengths that are tried; none for a method of one strength."""
        return self.named.mixes if self.named else ()


POOLED = Method("pooled", "pooled", jr.Ridge())
INDEPENDENT = (
    Method("independent ridge", "independent", jr.Ridge()),
    Method("independent lasso", "independent", jr.L1()),
    Method("elastic net", "independent", 0.5 * jr.L1() + 0.5 * jr.Ridge()),
)
PLAIN = {
    "joint_features": Method("joint features", "sharing", jr.L2(axis=0)),
    "low_rank": Method("low rank", "sharing", jr.Nuclear(), counts="rank"),
    "mean_regularised": Method("towards the mean", "sharing", jr.ToMean(axis=0), intercept_too=True),
}


def methods(tasks: int, names: tuple[str, ...] = DEFAULT) -> tuple[Method, ...]:
    """The methods that mean something for this many tasks: the named ways of sharing, and what they are judged by."""
    return (POOLED, *INDEPENDENT, *map(_sharing, names)) if tasks > 1 else INDEPENDENT


def _sharing(name: str) -> Method:
    known = NAMED[name]
    return PLAIN.get(name) or Method(name.replace("_", " "), "sharing", counts=known.counts, named=known)


@dataclass(frozen=True, eq=False)
class Setup:
    """What `cross_validate` is given for a method; `penalty_of` a mix, which methods of one strength ignore.

    `fit_of` a mix is what `cross_validate_fit` takes instead, where the method is not convex.
    """

    risk: Any
    data: Any
    weights: Any
    folds: np.ndarray
    init: Any
    penalty_of: Callable[[float], Any]
    grid: Callable[[int, float], np.ndarray]
    model: Any = None
    fit_of: Callable[[float], Any] | None = None


def setup(method: Method, problem: Problem) -> Setup:
    """One risk over all rows for the pooled method, else one term per task that counts as its share of the rows."""
    loss, folds, w = LOSSES[problem.loss], problem.folds, problem.train.weights
    single = jr.risk(jr.linear, loss)
    X, y = problem.train.data
    if method.kind == "pooled":
        kept = np.asarray(w) > 0
        flat = (jnp.asarray(np.asarray(X)[kept]), jnp.asarray(np.asarray(y)[kept]))
        scale = scale_of(flat, None, np.ones(1), problem.loss)
        return Setup(single, flat, None, folds[:, kept], jr.linear_params(flat), *_plain(method, scale))
    if method.intercept_too:
        X = jnp.concatenate([X, jnp.ones_like(X[..., :1])], -1)
    share = problem.counts / problem.counts.sum()
    scale = scale_of((X, y), w, share, problem.loss)
    if method.named is None:
        init = jr.linear_params((X, y), intercept=not method.intercept_too)
        joint = jr.multitask(single, 0, task_weights=share)
        return Setup(joint, (X, y), w, folds, init, *_plain(method, scale))
    known = method.named
    model = known.make(scale, 0.5)
    linear = model.linear if isinstance(model, jr.multitask_models.Stages) else model
    return Setup(
        linear.risk(loss, share),
        (X, y),
        w,
        folds,
        None if known.fit else model.init((X, y)),
        lambda mix: known.make(scale, mix).penalty,
        lambda num, mix: known.grid(scale, num, mix),
        linear,
        _afresh(known, scale, loss, share) if known.fit else None,
    )


def _afresh(known: Named, scale: Scale, loss: Any, share: np.ndarray) -> Callable[[float], Any]:
    fit, shares = known.fit, jnp.asarray(share)
    return lambda mix: jax.tree_util.Partial(fit, known.make(scale, mix), loss, shares)


def _plain(method: Method, scale: Scale) -> tuple[Callable[[float], Any], Callable[[int, float], np.ndarray]]:
    return lambda _: method.penalty, lambda num, _: strengths(method.penalty, scale, num)


def fits(method: Method, problem: Problem, given: Setup, params: Any) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (L, T, p) and intercepts (L, T) of a path, whatever form its parameters have."""
    if method.intercept_too:
        whole = np.asarray(params)
        return whole[..., :-1], whole[..., -1]
    intercept = np.asarray(params["intercept"])
    if given.model is not None:
        return np.asarray(given.model.coef(params)), intercept
    coef = np.asarray(params["coef"])
    if method.kind == "pooled":
        tasks = len(problem.ids)
        return np.repeat(coef[:, None], tasks, 1), np.repeat(intercept[:, None], tasks, 1)
    return coef, intercept
