"""Moments by NumPy where the data lie in the host's memory: its BLAS forms symmetric products at half the cost."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg._typing import Array
from jaxreg.moments import Moments

_CHUNK = 4096
_NEAR = 2.0


def on_host(x: Array) -> bool:
    """Whether an array lies on one CPU device."""
    devices = x.devices()
    return len(devices) == 1 and next(iter(devices)).platform == "cpu"


def host_moments(X: np.ndarray, y: np.ndarray, weights: np.ndarray) -> Moments:
    """What `jaxreg.moments` gives.

    In one product of X with itself where all rows weigh the same and every mean is within `_NEAR` standard deviations
    of zero, so that centring afterwards costs no more than log₂(1 + _NEAR²) bits; else of rows centred chunk by chunk.
    """
    total = weights.sum()
    safe = total if total > 0 else total.dtype.type(1)
    x_mean, y_mean = weights @ X / safe, weights @ y / safe
    found = _at_once(X, y, weights, x_mean, y_mean) if weights.min() == weights.max() else None
    xx, xy, yy = found or _by_chunks(X, y, weights, x_mean, y_mean)
    return Moments(*(jnp.asarray(v) for v in (total, x_mean, y_mean, xx, xy, yy)))


_Products = tuple[np.ndarray, np.ndarray, np.ndarray]


def _at_once(
    X: np.ndarray, y: np.ndarray, weights: np.ndarray, x_mean: np.ndarray, y_mean: np.ndarray
) -> _Products | None:
    weight, total = weights[0], weights.sum()
    with np.errstate(over="ignore", invalid="ignore"):
        xx = weight * (X.T @ X) - total * np.outer(x_mean, x_mean)
        if not (total * x_mean**2 <= _NEAR**2 * np.diagonal(xx)).all():
            return None
    yc = y - y_mean
    return xx, weight * (X.T @ yc), weight * np.sum(yc * yc, 0)


def _by_chunks(X: np.ndarray, y: np.ndarray, weights: np.ndarray, x_mean: np.ndarray, y_mean: np.ndarray) -> _Products:
    root, features = np.sqrt(weights), X.shape[1]
    xx, xy = np.zeros((features, features), X.dtype), np.zeros((*y.shape[1:], features), X.dtype)
    yc = root * (y - y_mean).T
    for first in range(0, len(X), _CHUNK):
        rows = slice(first, first + _CHUNK)
        Z = X[rows] - x_mean
        Z *= root[rows, None]
        xx += Z.T @ Z
        xy += yc[..., rows] @ Z
    return xx, xy.T, np.sum(yc * yc, -1)


def host_fold_moments(X: np.ndarray, y: np.ndarray, weights: np.ndarray, masks: np.ndarray) -> Moments:
    """Moments of the rows of each mask, leading axis K."""
    each = [host_moments(X[mask], y[mask], weights[mask]) for mask in masks]
    return jax.tree.map(lambda *parts: jnp.stack(parts), *each)
