"""Moments by NumPy where the data lie in the host's memory: its BLAS forms symmetric products at half the cost."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg._typing import Array
from jaxreg.moments import Moments

_CHUNK = 8192


def on_host(x: Array) -> bool:
    """Whether an array lies on one CPU device."""
    devices = x.devices()
    return len(devices) == 1 and next(iter(devices)).platform == "cpu"


def host_moments(X: np.ndarray, y: np.ndarray, weights: np.ndarray) -> Moments:
    """What `jaxreg.moments` gives; rows are centred and multiplied chunk by chunk."""
    total = weights.sum()
    safe = total if total > 0 else total.dtype.type(1)
    x_mean, y_mean = weights @ X / safe, weights @ y / safe
    root, features = np.sqrt(weights), X.shape[1]
    xx, xy = np.zeros((features, features), X.dtype), np.zeros((*y.shape[1:], features), X.dtype)
    yc = root * (y - y_mean).T
    for first in range(0, len(X), _CHUNK):
        rows = slice(first, first + _CHUNK)
        Z = X[rows] - x_mean
        Z *= root[rows, None]
        xx += Z.T @ Z
        xy += yc[..., rows] @ Z
    return Moments(*(jnp.asarray(v) for v in (total, x_mean, y_mean, xx, xy.T, np.sum(yc * yc, -1))))


def host_fold_moments(X: np.ndarray, y: np.ndarray, weights: np.ndarray, masks: np.ndarray) -> Moments:
    """Moments of the rows of each mask, leading axis K."""
    each = [host_moments(X[mask], y[mask], weights[mask]) for mask in masks]
    return jax.tree.map(lambda *parts: jnp.stack(parts), *each)
