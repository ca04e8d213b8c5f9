"""The training loop: seeds in one vmap, an epoch a compiled scan, the best epoch by validation only."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg import _tree
from jaxreg._typing import Array, PyTree
from jaxreg.metrics import mean_and_sd
from jaxreg.nn import checkpoint as store
from jaxreg.nn._module import Network
from jaxreg.nn.training._epoch import History, Lane, Plan, Rules, epoch, over_lanes, start
from jaxreg.nn.training._progress import progress as shown
from jaxreg.nn.training.data import Examples, Split
from jaxreg.nn.training.objective import as_risks
from jaxreg.penalties import Penalty
from jaxreg.solvers import Status
from jaxreg.transforms._shared import check_weighting
from jaxreg.weightings import Weighting


@dataclass(frozen=True, eq=False)
class Fit:
    """What training gave, per seed S, epoch E and task T; tasks in the order of `tasks`.

    Attributes:
        tasks: the tasks' names.
        params: parameters after the best epoch, a leading seed axis on every leaf.
        last: parameters after the last epoch, likewise.
        train: mean losses over each epoch's steps, (S, E, T).
        validation: losses on the validation rows after each epoch, (S, E, T).
        validation_metric: the metric there, (S, E, T), or None.
        test: losses on the test rows at the best epoch, (S, T).
        test_metric: the metric there, (S, T), or None.
        best: the epoch, from 0, with the smallest sum of validation losses, (S,); -1 where none was finite.
        skipped: steps left out because something was not finite, (S,).
        status: MAX_STEPS where all epochs were run, NONFINITE where no validation loss was finite or every step was
            left out, (S,).
    """

    tasks: tuple[str, ...]
    params: PyTree
    last: PyTree
    train: np.ndarray
    validation: np.ndarray
    validation_metric: np.ndarray | None
    test: np.ndarray
    test_metric: np.ndarray | None
    best: np.ndarray
    skipped: np.ndarray
    status: np.ndarray

    def __repr__(self) -> str:
        name = "loss" if self.test_metric is None else "metric"
        mean, sd = mean_and_sd(self.test if self.test_metric is None else self.test_metric)
        each = ", ".join(f"{t} {m:.4g} ± {s:.2g}" for t, m, s in zip(self.tasks, mean, sd, strict=True))
        seeds, epochs = self.train.shape[:2]
        return f"<Fit of {seeds} seeds, {epochs} epochs; test {name}, mean ± sd (ddof 1): {each}>"


def fit(
    net: Network,
    loss: Any,
    data: Split,
    tx: Any,
    *,
    key: Array,
    seeds: int = 1,
    epochs: int = 20,
    batch_size: int = 64,
    metric: Any = None,
    penalty: Penalty | None = None,
    weighting: Weighting | None = None,
    shared: str = "trunk",
    per: str | None = None,
    chunk: int | None = None,
    progress: bool = False,
    checkpoint: str | Path | None = None,
) -> Fit:
    """Train a network on several tasks, all seeds together, and keep every seed's best epoch by validation.

    `loss`, `metric`: as in `task_losses`; `tx`: an optax transformation; `penalty`, `weighting`, `shared`, `per` and
    `chunk`: as in `train_step`. Every seed has its own start and its own order of the rows; an epoch drops the rows
    that do not fill a batch. The test rows are used once, at the end. With `checkpoint`, a folder, the state is written
    after every epoch and a later call with the same arguments goes on where it stopped, to the same bits; more `epochs`
    may be asked for. Raises ValueError where the folder's run had another key, batch size, data, weighting, penalty,
    `shared` or `per`.

    >>> import jax, numpy as np, optax, jaxreg as jr
    >>> from jaxreg import nn
    >>> x = np.random.default_rng(0).normal(size=(60, 3)).astype("float32")
    >>> data = nn.split(nn.examples(x, np.stack([x[:, 0], x[:, 1]], 1)), jax.random.key(0))
    >>> net = nn.HardSharing(nn.mlp((8,)), nn.Stack(nn.dense(), 2))
    >>> fitted = nn.fit(net, jr.Squared(), data, optax.adam(0.01), key=jax.random.key(1), seeds=3, epochs=2)
    >>> fitted.validation.shape, fitted.test.shape
    ((3, 2, 2), (3, 2))
    """
    _check(data, weighting, seeds, epochs, batch_size)
    rules = Rules(as_risks(loss), None if metric is None else as_risks(metric), penalty, weighting)
    plan = Plan(net, tx, shared, min(batch_size, len(data.train)), per, chunk)
    lanes = start(plan, jax.random.split(key, seeds), data.train, rules)
    tasks = _tasks(net, lanes.state.params, data.train)
    history, done = History.of(seeds, len(tasks), metric is not None), 0
    if checkpoint is not None:
        mark = _marked(key, plan, rules, data)
        lanes, history, done = _resumed(checkpoint, mark, lanes, history)
    with shown(progress, epochs, done) as report:
        for number in range(done, epochs):
            lanes, found = epoch(plan, lanes, data.train, data.validation, rules)
            history = history.grown(found)
            report(history.validation[:, -1])
            if checkpoint is not None:
                store.save(checkpoint, number + 1, (mark, lanes, history))
    return _result(plan, rules, tasks, lanes, history, data.test)


def _check(data: Any, weighting: Any, seeds: int, epochs: int, batch_size: int) -> None:
    if not isinstance(data, Split):
        raise TypeError(f"fit: data is {type(data).__name__}, expected a Split(train, validation, test); see nn.split.")
    if weighting is not None:
        check_weighting("fit", weighting)
    if min(seeds, epochs, batch_size) < 1:
        raise ValueError(
            f"fit: seeds is {seeds}, epochs {epochs} and batch_size {batch_size}, expected at least 1 of each."
        )
    for name, part in zip(Split._fields, data, strict=True):
        if not all(np.all(np.sum(np.asarray(mask), 0) > 0) for mask in jax.tree.leaves(part.mask)):
            raise ValueError(f"fit: a task has no label at all in the {name} rows; split anew or leave the task out.")


def _tasks(net: Network, params: PyTree, rows: Examples) -> tuple[str, ...]:
    """The tasks in the order of the network's predictions."""
    found: list[tuple[str, ...]] = []

    def look(params: PyTree, x: Any) -> None:
        predictions = net.apply(params, x)
        named = isinstance(predictions, Mapping)
        found.append(tuple(predictions) if named else tuple(map(str, range(len(predictions)))))

    jax.eval_shape(jax.vmap(look, (0, None)), params, rows.take(jnp.arange(1)).x)
    return found[0]


def _marked(key: Array, plan: Plan, rules: Rules, data: Split) -> dict[str, np.ndarray]:
    """What tells one run from another; an address in a repr does not, as it is another in every process."""
    texts = {"weighting": rules.weighting, "penalty": rules.penalty, "shared": plan.shared, "per": plan.per}
    digests = {name: hashlib.sha256(re.sub(" at 0x[0-9a-f]+", "", repr(x)).encode()) for name, x in texts.items()}
    return {
        "key": np.asarray(jax.random.key_data(key)),
        "batch_size": np.array([plan.batch_size]),
        "data": np.frombuffer(bytes.fromhex(_tree.digest(data)), np.uint8),
        **{name: np.frombuffer(digest.digest(), np.uint8) for name, digest in digests.items()},
    }


def _resumed(
    folder: str | Path, mark: dict[str, np.ndarray], lanes: Lane, history: History
) -> tuple[Lane, History, int]:
    if store.latest(folder) is None:
        return lanes, history, 0
    done, (found, lanes, history) = store.load(folder, lambda epochs: (mark, lanes, history.blank(epochs)))
    other = [name for name, value in mark.items() if not np.array_equal(found[name], value)]
    if other:
        raise ValueError(
            f"fit: the checkpoint in {folder} is of another run (its {', '.join(other)} differs); use a new folder, or "
            "the same arguments."
        )
    return lanes, jax.tree.map(np.asarray, history), done


def _result(plan: Plan, rules: Rules, tasks: tuple[str, ...], lanes: Lane, history: History, test: Examples) -> Fit:
    steps, skipped = np.asarray(lanes.state.steps), np.asarray(lanes.state.skipped)
    best = np.asarray(lanes.best)
    failed = (best < 0) | (skipped == steps)
    return Fit(
        tasks=tasks,
        params=lanes.params,
        last=lanes.state.params,
        train=history.train,
        validation=history.validation,
        validation_metric=history.metric,
        test=np.asarray(over_lanes(plan, rules.loss, lanes.params, test)),
        test_metric=None if rules.metric is None else np.asarray(over_lanes(plan, rules.metric, lanes.params, test)),
        best=best,
        skipped=skipped,
        status=np.where(failed, Status.NONFINITE, Status.MAX_STEPS),
    )
