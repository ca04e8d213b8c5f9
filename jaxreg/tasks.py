"""Ragged tasks as padded arrays and weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxreg import _validate
from jaxreg._pytree import pytree, static
from jaxreg._typing import Array, Data


@pytree
class Tasks:
    """Padded tasks: data = (X (T, m, p), y (T, m) or (T, m, k)), weights (T, m) with 0 for padding, ids of length T."""

    data: Data
    weights: Array
    ids: tuple[Any, ...] = static(default=())

    def __len__(self) -> int:
        return self.weights.shape[0]

    @property
    def counts(self) -> Array:
        """Rows that count in each task, shape (T,)."""
        return jnp.sum(self.weights > 0, -1)

    def ragged(self, values: Array) -> list[np.ndarray]:
        """Undo the padding of values (T, m, ...): one array per task."""
        kept = np.asarray(self.weights) > 0
        return [np.asarray(v)[k] for v, k in zip(values, kept, strict=True)]


def tasks(X: Any, y: Any = None, task_id: Any = None, weights: Any = None) -> Tasks:
    """Pad tasks of unequal size to one array; the padding has weight 0 and never counts.

    Give a list of (X_t, y_t), or X (n, p), y (n,) or (n, k), and task_id (n,), whose sorted distinct values become
    `ids`; or X (n, p) and responses Y (n, T) alone, one task per column, all on the same rows, with NaN where a
    response is missing: its weight is 0. `weights` are sample weights, a list of (m_t,), or (n,), with responses also
    (n, T). A task may have one row or none. Raises ValueError or TypeError that names the task for shapes that do not
    match, NaN, or no tasks at all.

    >>> import numpy as np, jaxreg as jr
    >>> t = jr.tasks(np.ones((3, 2), "float32"), np.arange(3, dtype="float32"), ["b", "a", "b"])
    >>> t.ids, t.data[0].shape, t.weights.tolist()
    (('a', 'b'), (2, 2, 2), [[1.0, 0.0], [1.0, 1.0]])
    >>> jr.tasks(np.ones((2, 3), "float32"), np.array([[1, np.nan], [3, 4]], "float32")).weights.tolist()
    [[1.0, 1.0], [0.0, 1.0]]
    """
    ids, blocks = _blocks(X, y, task_id, weights)
    width = max(1, max(len(block[1]) for block in blocks))
    features, outputs = blocks[0][0].shape[1], blocks[0][1].shape[1:]
    dtype = np.result_type(*(block[0].dtype for block in blocks))
    padded_x = np.zeros((len(blocks), width, features), dtype)
    padded_y = np.zeros((len(blocks), width, *outputs), blocks[0][1].dtype)
    w = np.zeros((len(blocks), width), dtype)
    for t, (xt, yt, wt) in enumerate(blocks):
        if xt.shape[1] != features or yt.shape[1:] != outputs:
            raise ValueError(
                f"tasks: task {ids[t]!r} has X of shape {xt.shape} and y of shape {yt.shape}, "
                f"expected {features} features and outputs {outputs} as in task {ids[0]!r}."
            )
        padded_x[t, : len(xt)], padded_y[t, : len(yt)], w[t, : len(wt)] = xt, yt, wt
    if not w.any():
        raise ValueError("tasks: every task is empty or has weight 0.")
    return Tasks((jnp.asarray(padded_x), jnp.asarray(padded_y)), jnp.asarray(w), ids)


Block = tuple[np.ndarray, np.ndarray, np.ndarray]


def _blocks(X: Any, y: Any, task_id: Any, weights: Any) -> tuple[tuple[Any, ...], list[Block]]:
    if y is None and task_id is None:
        if not isinstance(X, Sequence) or not X or any(len(pair) != 2 for pair in X):
            raise TypeError("tasks: expected a list of (X, y) pairs, or X, y and task_id.")
        given = [None] * len(X) if weights is None else list(weights)
        if len(given) != len(X):
            raise ValueError(f"tasks: {len(given)} arrays of weights for {len(X)} tasks.")
        return tuple(range(len(X))), [_block(t, x, y, w) for t, ((x, y), w) in enumerate(zip(X, given, strict=True))]
    if task_id is None and np.ndim(y) == 2:
        return _responses(X, y, weights)
    if y is None or task_id is None:
        raise TypeError("tasks: X goes with both y and task_id, with responses (n, T), or alone as a list of (X, y).")
    labels = np.asarray(task_id)
    if labels.ndim != 1 or len(labels) != len(X) or len(labels) != len(y):
        raise ValueError(f"tasks: X has {len(X)} rows, y {len(y)}, task_id shape {labels.shape}; they must agree.")
    if len(labels) == 0:
        raise ValueError("tasks: there are no rows.")
    X, y = np.asarray(X), np.asarray(y)
    w = None if weights is None else np.asarray(weights)
    names, where = np.unique(labels, return_inverse=True)
    rows = [np.flatnonzero(where == t) for t in range(len(names))]
    ids = tuple(name.item() for name in names)
    return ids, [_block(i, X[r], y[r], None if w is None else w[r]) for i, r in zip(ids, rows, strict=True)]


def _responses(X: Any, Y: Any, weights: Any) -> tuple[tuple[Any, ...], list[Block]]:
    """One task per column, on the rows of X; a missing response has weight 0."""
    X, Y = (_validate.host_array("tasks", n, v, labels=n == "Y") for n, v in (("X", X), ("Y", Y)))
    if X.ndim != 2 or len(X) != len(Y) or not Y.size:
        raise ValueError(f"tasks: X has shape {X.shape} and Y {Y.shape}, expected (n, features) and (n, tasks).")
    given = np.ones(len(X), X.dtype) if weights is None else _validate.host_array("tasks", "weights", weights)
    if given.shape not in ((len(X),), Y.shape):
        raise ValueError(f"tasks: weights have shape {given.shape}, expected {(len(X),)} or {Y.shape} like Y.")
    w = np.broadcast_to(given[:, None] if given.ndim == 1 else given, Y.shape)
    there = ~np.isnan(Y) if Y.dtype.kind == "f" else np.ones(Y.shape, bool)
    y, w = np.where(there, Y, 0).astype(Y.dtype), np.where(there, w, 0)
    return tuple(range(Y.shape[1])), [_block(t, X, y[:, t], w[:, t]) for t in range(Y.shape[1])]


def _block(name: Any, X: Any, y: Any, weights: Any) -> Block:
    where = f"tasks: task {name!r}"
    X, y = (_validate.host_array(where, n, v, labels=n == "y") for n, v in (("X", X), ("y", y)))
    if X.ndim != 2 or y.ndim not in (1, 2) or len(X) != len(y):
        raise ValueError(
            f"{where} has X of shape {X.shape} and y of shape {y.shape}, expected (m, features) and (m,) or (m, k)."
        )
    w = np.ones(len(y), X.dtype) if weights is None else _validate.host_array(where, "weights", weights)
    if w.shape != (len(y),) or not np.all(np.isfinite(w)) or np.any(w < 0):
        raise ValueError(f"{where} needs one finite weight >= 0 per row, got shape {w.shape}.")
    bad = ~(np.isfinite(X).all(1) & np.isfinite(y).all(tuple(range(1, y.ndim)))) & (w > 0)
    if bad.any():
        raise ValueError(f"{where} has NaN or infinite entries, first in row {int(np.argmax(bad))}; drop or fill them.")
    return X, y, w.astype(X.dtype)
