"""From a table to tasks: held-out rows, standardisation on training rows, folds within tasks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jaxreg.cli._errors import InputError
from jaxreg.cli._table import Table
from jaxreg.tasks import Tasks, tasks

SCALED = ("squared", "huber")


@dataclass(frozen=True, eq=False)
class Problem:
    """Standardised training tasks, their folds (K, T, m), and the held-out rows of each task in original units.

    `mean` and `scale` (p,) are those of the features' training rows; `shift` and `unit` (T,) those of the targets,
    0 and 1 where targets keep their units. `test_rows` are row numbers of the table.
    """

    table: Table
    loss: str
    ids: tuple[str, ...]
    train: Tasks
    folds: np.ndarray
    test: list[tuple[np.ndarray, np.ndarray]]
    mean: np.ndarray
    scale: np.ndarray
    shift: np.ndarray
    unit: np.ndarray
    test_rows: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        """Training rows per task, (T,)."""
        return np.asarray(self.train.counts)

    @property
    def scaled(self) -> bool:
        """Whether targets are measured in standard deviations."""
        return self.loss == "huber" or (self.loss in SCALED and len(self.table.targets) > 1)


def prepare(table: Table, loss: str, folds: int, test_share: float, seed: int) -> Problem:
    """Split, standardise and fold a table. Raises InputError where a task is too small or its target degenerate."""
    rng = np.random.default_rng(seed)
    if table.task is not None and len(table.targets) > 1:
        raise InputError("--task with several targets: give one target, or leave out --task (one task per target).")
    ids, groups = _groups(table)
    signs = (table.y > 0) if loss in ("logistic", "poisson") else np.zeros(table.y.shape, bool)
    train, test, numbers = [], [], []
    for name, rows in zip(ids, groups, strict=True):
        kept, held = _split(rows, signs[rows], test_share, rng)
        if len(kept) < folds:
            raise InputError(
                f"task {name!r} has {len(kept)} training rows, fewer than the {folds} folds; "
                "lower --folds or --test-share, or leave the task out."
            )
        train.append(kept)
        test.append(held)
        numbers.append(_fold_numbers(len(kept), folds, rng))
    if not sum(map(len, test)):
        raise InputError(f"--test-share {test_share:g} holds out no row of any task; raise it.")
    return _build(table, loss, ids, train, test, numbers, folds)


def _groups(table: Table) -> tuple[tuple[str, ...], list[np.ndarray]]:
    """Names and rows of the tasks that are split; several targets share one split."""
    if table.task is None:
        return ("all rows",), [np.arange(len(table.X))]
    labels = table.task if table.task.dtype.kind in "biuf" else table.task.astype(str)
    names, codes = np.unique(labels, return_inverse=True)
    if len(names) < 2:
        raise InputError(f"--task {table.task_column} has one value only, {str(names[0])!r}; leave --task out.")
    return tuple(str(name) for name in names), [np.flatnonzero(codes == t) for t in range(len(names))]


def _split(
    rows: np.ndarray, signs: np.ndarray, share: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Training rows, shuffled but sorted by class, and held-out rows spread evenly over the classes."""
    order = rows[(shuffled := rng.permutation(len(rows)))]
    order = order[np.lexsort(signs[shuffled].T)]
    count = min(round(share * len(order)), len(order) - 1)
    held = np.zeros(len(order), bool)
    held[((np.arange(count) + rng.random()) * len(order) / max(count, 1)).astype(int)] = True
    return order[~held], np.sort(order[held])


def _fold_numbers(rows: int, folds: int, rng: np.random.Generator) -> np.ndarray:
    """Fold of each training row, in turn, from a random start so that folds of many tasks are equally large."""
    return (np.arange(rows) + rng.integers(folds)) % folds


def _build(
    table: Table,
    loss: str,
    ids: tuple[str, ...],
    train: list[np.ndarray],
    test: list[np.ndarray],
    numbers: list[np.ndarray],
    folds: int,
) -> Problem:
    fitted = np.concatenate(train)
    mean, scale = _moments(table.X[fitted])
    several = len(table.targets) > 1
    columns = list(range(len(table.targets))) if several else [0] * len(train)
    if several:
        ids, train, test, numbers = (
            table.targets,
            train * len(columns),
            test * len(columns),
            numbers * len(columns),
        )
    scaled = loss == "huber" or (several and loss in SCALED)
    y_mean, y_scale = _moments(table.y[fitted]) if scaled else (np.zeros(1), np.ones(1))
    at = columns if len(y_mean) > 1 else [0] * len(train)
    for j, name in enumerate(table.targets):
        if np.ptp(table.y[fitted, j]) == 0:
            raise InputError(f"target {name!r} is constant in the training rows; there is nothing to predict.")
    pairs = [
        ((table.X[r] - mean) / scale, (table.y[r, c] - y_mean[a]) / y_scale[a])
        for r, c, a in zip(train, columns, at, strict=True)
    ]
    made = tasks(pairs)
    masks = np.zeros((folds, *made.weights.shape), bool)
    for t, fold in enumerate(numbers):
        masks[fold, t, np.arange(len(fold))] = True
    _check_classes(ids, pairs, masks, loss)
    held = [(table.X[r], table.y[r, c]) for r, c in zip(test, columns, strict=True)]
    rows = np.sort(np.concatenate(test[: 1 if several else None]))
    return Problem(table, loss, ids, made, masks, held, mean, scale, y_mean[at], y_scale[at], rows)


def _moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Column means and standard deviations, 1 for constant columns."""
    mean, scale = values.mean(0), values.std(0)
    return mean, np.where(scale > 1e-12 * np.maximum(1, np.abs(mean)), scale, 1.0)


def _check_classes(
    ids: tuple[str, ...], pairs: list[tuple[np.ndarray, np.ndarray]], masks: np.ndarray, loss: str
) -> None:
    """An unpenalised intercept has no finite value where a task shows one class only."""
    if loss not in ("logistic", "poisson"):
        return
    for t, (name, (_, y)) in enumerate(zip(ids, pairs, strict=True)):
        for mask in masks[:, t, : len(y)]:
            positive = y[~mask] > 0
            if not positive.any() or (loss == "logistic" and positive.all()):
                what = "rows of both classes" if loss == "logistic" else "counts above 0"
                raise InputError(f"task {name!r} lacks {what} in a training fold; lower --folds, or leave it out.")
