"""JAXopt: accelerated proximal gradient, one compiled call per strength, warm started, on a Gram matrix if tall."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxopt import ProximalGradient
from jaxopt.prox import prox_lasso

from bench.players._player import Player, centred, folds_of

_STEPS = 100_000


def _gram(w: Any, G: Any, c: Any) -> Any:
    return 0.5 * w @ G @ w - c @ w


def _rows(w: Any, X: Any, y: Any) -> Any:
    return 0.5 * jnp.mean((X @ w - y) ** 2)


def _logistic(params: Any, X: Any, y: Any) -> Any:
    z = X @ params[0] + params[1]
    return jnp.mean(jnp.logaddexp(z, 0.0) - y * z)


def _poisson(params: Any, X: Any, y: Any) -> Any:
    z = X @ params[0] + params[1]
    return jnp.mean(jnp.exp(z) - y * z)


def _shrink(params: Any, strength: Any, step: float = 1.0) -> Any:
    return prox_lasso(params[0], strength, step), params[1]


@lru_cache(maxsize=16)
def _solver(fun: Any, prox: Any, stepsize: float) -> Any:
    """Kept, because a new solver compiles anew; `run(params, strength, tol, *data)`."""

    @jax.jit
    def run(params: Any, strength: Any, tol: Any, *data: Any) -> Any:
        solver = ProximalGradient(fun, prox, stepsize=stepsize, maxiter=_STEPS, tol=tol)
        return solver.run(params, strength, *data).params

    return run


def _squared(X: np.ndarray, y: np.ndarray, strengths: np.ndarray, tol: float) -> tuple[np.ndarray, np.ndarray]:
    X, y, x_mean, y_mean = centred(X, y)
    n, p = X.shape
    moments = X.T @ X / n if n > p else X @ X.T / n
    data = (moments, y @ X / n) if n > p else (X, y)
    run = _solver(_gram if n > p else _rows, prox_lasso, 1.0 / float(np.linalg.eigvalsh(moments)[-1]))
    data, w, coef = jax.device_put(data), jnp.zeros(p), np.zeros((len(strengths), p))
    for i, strength in enumerate(strengths):
        w = run(w, strength, tol, *data)
        coef[i] = w
    return coef, y_mean - coef @ x_mean


def _path(X: Any, y: np.ndarray, strengths: np.ndarray, tol: float, loss: str) -> tuple[np.ndarray, np.ndarray]:
    """Its tolerance is the norm of the step over its size: it is asked for as a part of the largest strength."""
    tol = float(tol * strengths[0])
    if loss == "squared":
        return _squared(X, y, strengths, tol)
    run = _solver(_poisson if loss == "poisson" else _logistic, _shrink, 0.0)
    mean, data = y.mean(), jax.device_put((X, y))
    start = np.log(mean if loss == "poisson" else mean / (1 - mean))
    params, coef = (jnp.zeros(X.shape[1]), jnp.asarray(start)), np.zeros((len(strengths), X.shape[1]))
    intercept = np.zeros(len(strengths))
    for i, strength in enumerate(strengths):
        params = run(params, strength, tol, *data)
        coef[i], intercept[i] = params
    return coef, intercept


def make(version: str) -> list[Player]:
    return [Player("jaxopt", version, ("squared", "logistic", "poisson"), folds_of(_path), sparse=False)]
