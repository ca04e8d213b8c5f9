"""Rows, labels of several tasks and what is missing; training, validation and test kept apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg import _validate
from jaxreg._pytree import pytree
from jaxreg._typing import Array


@pytree
class Examples:
    """Rows x (n, ...), labels y and a mask, 1 where there is a label; made by `examples`.

    y and mask are dictionaries by task of (n, ...) and (n,), or arrays (n, tasks, ...) and (n, tasks).
    """

    x: Any
    y: Any
    mask: Any

    def __len__(self) -> int:
        return int(jax.tree.leaves(self.mask)[0].shape[0])

    def take(self, rows: Any) -> Examples:
        """The rows of these indices."""
        return jax.tree.map(lambda a: a[rows], self)


class Split(NamedTuple):
    """Three sets of rows: a step sees `train`, the choice of the best one `validation`, and only the end `test`."""

    train: Examples
    validation: Examples
    test: Examples


def examples(x: Any, y: Any, mask: Any = None) -> Examples:
    """Check rows, labels and the mask of missing labels, and make them arrays.

    `x` is an array with rows first, or a tree of such; `y` a dictionary {task: (n, ...)} or an array (n, tasks, ...);
    `mask` has the form of y, one number per row and task, 0 where the label is missing (whatever stands there then) and
    otherwise the label's weight; None means that all are there.

    Raises ValueError that names the task for lengths that differ, a task without any label, NaN in a label that counts.

    >>> import numpy as np
    >>> from jaxreg import nn
    >>> rows = nn.examples(np.ones((4, 2), "float32"), {"kind": np.array([0, 1, -1, 2])}, {"kind": [1, 1, 0, 1]})
    >>> len(rows), rows.mask["kind"].tolist()
    (4, [1.0, 1.0, 0.0, 1.0])
    """
    x = jax.tree.map(lambda a: _validate.array("examples", "x", a), x)
    n = jax.tree.leaves(x)[0].shape[0]
    labels = _by_task(y, "y")
    masks = {} if mask is None else _by_task(mask, "mask")
    if mask is not None and (set(masks) != set(labels) or isinstance(mask, Mapping) != isinstance(y, Mapping)):
        raise ValueError(f"examples: mask has tasks {sorted(masks)}, expected those of y, {sorted(labels)}.")
    made = {task: _label(task, n, label, masks.get(task)) for task, label in labels.items()}
    for a in jax.tree.leaves(x):
        if a.shape[0] != n:
            raise ValueError(f"examples: leaves of x have {n} and {a.shape[0]} rows; they must agree.")
    if isinstance(y, Mapping):
        return Examples(x, {t: label for t, (label, _) in made.items()}, {t: w for t, (_, w) in made.items()})
    return Examples(x, jnp.stack([p[0] for p in made.values()], 1), jnp.stack([p[1] for p in made.values()], 1))


def split(rows: Examples, key: Array, validation: float = 0.2, test: Any = 0.2) -> Split:
    """Part rows at random into training, validation and test; every row goes to exactly one of the three.

    `test` is a share too, or a mask (n,), True for the rows of a test set that the source has chosen, such as
    `ImageTasks.test`; then the others alone are parted. Shares are of all rows, rounded to whole ones.

    Raises ValueError unless each part gets a row, and for a mask that is not one bool per row.

    >>> import jax, numpy as np
    >>> from jaxreg import nn
    >>> rows = nn.examples(np.ones((10, 2), "float32"), np.ones((10, 3)))
    >>> [len(part) for part in nn.split(rows, jax.random.key(0))]
    [6, 2, 2]
    >>> [len(part) for part in nn.split(rows, jax.random.key(0), test=np.arange(10) >= 7)]
    [5, 2, 3]
    """
    n = len(rows)
    order, listed = jax.random.permutation(key, n), np.ndim(test) > 0
    if listed:
        chosen = _mask(test, n)
        order = order[jnp.argsort(jnp.asarray(chosen)[order], stable=True)]
    held, last = round(validation * n), int(chosen.sum()) if listed else round(test * n)
    if min(held, last, n - held - last) < 1:
        share = f"a mask of {last} rows" if listed else test
        raise ValueError(
            f"split: {n} rows with validation={validation} and test={share} leave {n - held - last}, {held} and {last} "
            "rows; every part needs one."
        )
    return Split(*(rows.take(part) for part in jnp.split(order, (n - held - last, n - last))))


def _mask(test: Any, n: int) -> np.ndarray:
    found = np.asarray(test)
    if found.shape != (n,) or found.dtype != bool:
        raise ValueError(
            f"split: test is {found.dtype} of shape {found.shape}, expected a share or one bool for each of {n} rows."
        )
    return found


def _by_task(value: Any, name: str) -> dict[str, Any]:
    if isinstance(value, Mapping):
        if not value:
            raise ValueError(f"examples: {name} is an empty dictionary; give at least one task.")
        return dict(value)
    array = value if isinstance(value, jax.Array) else np.asarray(value)
    if array.ndim < 2:
        raise ValueError(
            f"examples: {name} has shape {array.shape}, expected (rows, tasks, ...) or a dictionary by task; "
            "use {'task': y} for one task."
        )
    return {str(t): array[:, t] for t in range(array.shape[1])}


def _label(task: str, n: int, label: Any, mask: Any) -> tuple[Array, Array]:
    where = f"examples: task {task!r}"
    made = _validate.array(where, "y", label, labels=True)
    weight = jnp.ones((n,)) if mask is None else _validate.array(where, "mask", mask)
    if made.shape[:1] != (n,) or weight.shape != (n,):
        raise ValueError(f"{where} has y of shape {made.shape} and mask {weight.shape}, expected {n} rows, as x has.")
    values = np.asarray(weight)
    if not np.all(np.isfinite(values)) or values.min() < 0 or not values.any():
        raise ValueError(f"{where} needs finite mask entries >= 0 and at least one label that is there.")
    counts = np.reshape(values > 0, (n,) + (1,) * (made.ndim - 1))
    if not np.all(np.isfinite(np.where(counts, np.asarray(made), 0))):
        raise ValueError(f"{where} has NaN or infinite labels in rows that count; give these rows mask 0.")
    return jnp.where(counts, made, jnp.zeros_like(made)), weight
