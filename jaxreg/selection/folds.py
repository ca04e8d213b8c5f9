"""Folds as masks: shapes never change, a held-out row weighs 0."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import jax
import numpy as np

from jaxreg._typing import Array


def kfold(n: int, k: int, key: Array | None = None) -> np.ndarray:
    """Masks of k folds over n rows, shape (k, n), True where a row is held out; every row is held out once.

    Folds are consecutive blocks whose sizes differ by at most one, shuffled when a `key` is given. Raises ValueError
    unless 2 <= k <= n.

    >>> import jaxreg as jr
    >>> jr.kfold(4, 2).astype(int).tolist()
    [[1, 1, 0, 0], [0, 0, 1, 1]]
    """
    if not 2 <= k <= n:
        raise ValueError(f"kfold: k is {k} for n = {n} rows, expected 2 <= k <= n.")
    return _masks(n, k, None if key is None else _generator(key))


def _generator(key: Array) -> np.random.Generator:
    """NumPy's generator seeded by a key: a permutation of each task's own size would be compiled for each."""
    return np.random.default_rng(np.asarray(jax.random.key_data(key)).ravel())


def _masks(n: int, k: int, rng: np.random.Generator | None) -> np.ndarray:
    order = np.arange(n) if rng is None else rng.permutation(n)
    masks = np.zeros((k, n), bool)
    for fold, rows in enumerate(np.array_split(order, k)):
        masks[fold, rows] = True
    return masks


def fold_masks(where: str, folds: Any, weights: np.ndarray, key: Array | None) -> np.ndarray:
    """Masks (K, n) or (K, tasks, m) from a number of folds, masks, or (train, test) index pairs.

    A number splits the rows of positive weight, within each task where there are tasks. Raises ValueError for masks
    of the wrong shape, a fold that holds out nothing or everything, or too few rows.
    """
    if isinstance(folds, (int, np.integer)):
        return _split(where, int(folds), weights, key)
    masks = folds if hasattr(folds, "shape") else _from_pairs(where, folds, weights.shape)
    masks = np.asarray(masks)
    if masks.dtype != bool or masks.shape[1:] != weights.shape or masks.ndim != weights.ndim + 1:
        raise ValueError(
            f"{where}: folds have shape {masks.shape} and dtype {masks.dtype}, expected boolean "
            f"(K, {', '.join(map(str, weights.shape))}), True where held out."
        )
    axes = tuple(range(1, masks.ndim))
    held, kept = (masks & (weights > 0)).sum(axes), (~masks & (weights > 0)).sum(axes)
    if (held == 0).any() or (kept == 0).any():
        worst = int(np.argmin(np.minimum(held, kept)))
        raise ValueError(f"{where}: fold {worst} holds out {held[worst]} rows and keeps {kept[worst]}; both need one.")
    return masks


def _split(where: str, k: int, weights: np.ndarray, key: Array | None) -> np.ndarray:
    flat = weights.reshape(-1, weights.shape[-1])
    masks = np.zeros((k, *flat.shape), bool)
    most = int((flat > 0).sum(1).max())
    if not 2 <= k <= most:
        raise ValueError(f"{where}: folds is {k}, expected 2 <= folds <= {most}, the rows of the largest task.")
    rng = None if key is None else _generator(key)
    for task, w in enumerate(flat):
        rows = np.flatnonzero(w > 0)
        if len(rows) >= k:
            masks[:, task, rows] = _masks(len(rows), k, rng)
        else:
            masks[np.arange(len(rows)), task, rows] = True
    return masks.reshape(k, *weights.shape)


def _from_pairs(where: str, pairs: Iterable[Any], shape: tuple[int, ...]) -> np.ndarray:
    if len(shape) != 1:
        raise ValueError(f"{where}: index pairs serve one task; give boolean masks (K, tasks, m) instead.")
    masks = []
    for train, test in pairs:
        mask = np.ones(shape, bool)
        mask[np.asarray(train)] = False
        if np.flatnonzero(mask).tolist() != np.unique(test).tolist():
            raise ValueError(f"{where}: a fold's train and test indices must be complements of each other.")
        masks.append(mask)
    return np.stack(masks) if masks else np.zeros((0, *shape), bool)


def block_order(masks: np.ndarray) -> np.ndarray | None:
    """Row numbers of each fold, padded with n, when every row is held out exactly once; else None."""
    if masks.ndim != 2 or not (masks.sum(0) == 1).all():
        return None
    k, n = masks.shape
    width = int(masks.sum(1).max())
    order = np.full((k, width), n, np.int32)
    for fold, mask in enumerate(masks):
        rows = np.flatnonzero(mask)
        order[fold, : len(rows)] = rows
    return order
