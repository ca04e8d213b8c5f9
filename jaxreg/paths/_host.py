"""Moments by NumPy where the data lie in the host's memory: its BLAS forms symmetric products at half the cost."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg.moments import Moments

_CHUNK = 4096
_NEAR = 2.0


def host_moments(X: np.ndarray, y: np.ndarray, weights: np.ndarray) -> Moments:
    """What `jaxreg.moments` gives.

    In one product of X with itself where all rows weigh the same and every mean is within `_NEAR` standard deviations
    of zero, so that centring afterwards costs no more than log₂(1 + _NEAR²) bits; else of rows centred chunk by chunk.
    """
    total = weights.sum()
    safe = total if total > 0 else total.dtype.type(1)
    y_mean = weights @ y / safe
    yc = (y - y_mean).T
    pulled = np.concatenate([weights[None], np.atleast_2d(weights * yc)]) @ X
    x_mean, xy = pulled[0] / safe, pulled[1:]
    xx = _at_once(X, weights, x_mean) if weights.min() == weights.max() else None
    if xx is None:
        xx, xy = _by_chunks(X, yc, weights, x_mean)
    xy = xy.T.reshape(-1, *y.shape[1:])
    yy = np.sum(weights * yc * yc, -1)
    return Moments(*(jnp.asarray(v) for v in (total, x_mean, y_mean, xx, xy, yy)))


def _at_once(X: np.ndarray, weights: np.ndarray, x_mean: np.ndarray) -> np.ndarray | None:
    total = weights.sum()
    with np.errstate(over="ignore", invalid="ignore"):
        xx = weights[0] * (X.T @ X) - total * np.outer(x_mean, x_mean)
        return xx if (total * x_mean**2 <= _NEAR**2 * np.diagonal(xx)).all() else None


def _by_chunks(X: np.ndarray, yc: np.ndarray, weights: np.ndarray, x_mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """X'X and y'X of centred rows."""
    features = X.shape[1]
    xx, xy = np.zeros((features, features), X.dtype), np.zeros((*yc.shape[:-1], features), X.dtype)
    root = np.sqrt(weights)
    for first in range(0, len(X), _CHUNK):
        rows = slice(first, first + _CHUNK)
        Z = X[rows] - x_mean
        Z *= root[rows, None]
        xx += Z.T @ Z
        xy += (root[rows] * yc[..., rows]) @ Z
    return xx, xy


def host_fold_moments(X: np.ndarray, y: np.ndarray, weights: np.ndarray, masks: np.ndarray) -> Moments:
    """Moments of the rows of each mask, leading axis K."""
    each = [host_moments(X[mask], y[mask], weights[mask]) for mask in masks]
    return jax.tree.map(lambda *parts: jnp.stack(parts), *each)
