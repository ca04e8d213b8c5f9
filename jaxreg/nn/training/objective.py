"""The tasks' losses and metrics as functions of parameters and rows: one number per task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxreg._typing import Array, ArrayLike, PyTree
from jaxreg.nn._module import Network
from jaxreg.nn.training.data import Examples
from jaxreg.risk import Risk, risk

TaskFunction = Callable[..., Array]
_CHUNK = 256


def task_losses(net: Network, loss: Any) -> TaskFunction:
    """The mean loss of every task, (params, rows, key=None) -> (tasks,), a pure function to train with.

    `loss` is a `jaxreg.Loss` or a function (prediction, target) -> one number per row, for all tasks alike or as a
    dictionary by task. A missing label never counts; a task without any label in the rows has loss 0.

    >>> import jax, jax.numpy as jnp, numpy as np, jaxreg as jr
    >>> from jaxreg import nn
    >>> net = nn.HardSharing(nn.mlp((8,)), {"height": nn.dense(), "kind": nn.dense(3)})
    >>> rows = nn.examples(np.ones((4, 2), "float32"), {"height": np.ones(4), "kind": np.array([0, 1, 2, 0])})
    >>> losses = nn.task_losses(net, {"height": jr.Squared(), "kind": jr.Softmax()})
    >>> losses(net.init(jax.random.key(0), rows.x), rows).shape
    (2,)
    """
    functions = as_risks(loss)
    return lambda params, rows, key=None: per_task(net, functions, params, rows, key)


def evaluate(net: Network, metric: Any) -> TaskFunction:
    """The mean metric of every task over rows, (params, rows) -> (tasks,), compiled, in chunks of 256 rows.

    `metric` is what `loss` may be in `task_losses`, such as `accuracy`. NaN for a task without any label.
    """
    functions = as_risks(metric)
    return lambda params, rows: _evaluate(net, functions, params, rows)


def accuracy(prediction: ArrayLike, target: ArrayLike) -> Array:
    """1 where the largest of the scores (n, k) is at the label, or a score (n,) has its sign, y in 0, 1; else 0.

    >>> import jax.numpy as jnp
    >>> from jaxreg import nn
    >>> nn.accuracy(jnp.array([[0.1, 0.9], [0.8, 0.2]]), jnp.array([1, 1])).tolist()
    [1.0, 0.0]
    """
    z, y = jnp.asarray(prediction), jnp.asarray(target)
    said = jnp.argmax(z, -1) if z.ndim > 1 else (z > 0).astype(y.dtype)
    return (said == y).astype(z.dtype)


def as_risks(loss: Any) -> Any:
    """A loss, or a dictionary of them, as risks of predictions."""
    if isinstance(loss, Mapping):
        return {task: risk(_itself, one) for task, one in loss.items()}
    return risk(_itself, loss)


def per_task(net: Network, functions: Any, params: PyTree, rows: Examples, key: Array | None = None) -> Array:
    """The risks of every task's prediction, (tasks,), in the order of the network's heads."""
    return _with_totals(net, functions, params, rows, key)[0]


def over_chunks(net: Network, functions: Any, params: PyTree, rows: Examples) -> Array:
    """`per_task` over all rows, a chunk at a time, so that memory does not grow with them; NaN without any label."""
    n = len(rows)
    chunks = -(-n // _CHUNK)
    size = -(-n // chunks)

    def padded(a: Array) -> Array:
        a = jnp.pad(a, ((0, chunks * size - n), *((0, 0),) * (a.ndim - 1)))
        return a.reshape(chunks, size, *a.shape[1:])

    found, totals = jax.lax.map(lambda rows: _with_totals(net, functions, params, rows), jax.tree.map(padded, rows))
    total = jnp.sum(totals, 0)
    return jnp.where(total > 0, jnp.sum(found * totals, 0) / jnp.where(total > 0, total, 1.0), jnp.nan)


def _with_totals(
    net: Network, functions: Any, params: PyTree, rows: Examples, key: Array | None = None
) -> tuple[Array, Array]:
    """The mean of every task and how much its labels weigh."""
    predictions = net.apply(params, rows.x, key)
    if isinstance(predictions, Mapping):
        _check_tasks(tuple(predictions), functions, rows)
        chosen = functions if isinstance(functions, Mapping) else dict.fromkeys(predictions, functions)
        pairs = [_one(chosen[t], z, rows.y[t], rows.mask[t]) for t, z in predictions.items()]
        return jnp.stack([mean for mean, _ in pairs]), jnp.stack([total for _, total in pairs])
    _check_stack(len(predictions), functions, rows)
    return jax.vmap(lambda z, y, w: _one(functions, z, y, w), (0, 1, 1))(predictions, rows.y, rows.mask)


def _itself(prediction: Any, _: Any) -> Any:
    return prediction


@partial(jax.jit, static_argnames="net")
def _evaluate(net: Network, functions: Any, params: PyTree, rows: Examples) -> Array:
    return over_chunks(net, functions, params, rows)


def _one(function: Risk, prediction: Array, label: Array, mask: Array) -> tuple[Array, Array]:
    return function(prediction, (prediction, label), mask), jnp.sum(mask)


def _check_tasks(tasks: tuple[str, ...], functions: Any, rows: Examples) -> None:
    if not isinstance(rows.y, Mapping) or set(rows.y) != set(tasks):
        given = sorted(rows.y) if isinstance(rows.y, Mapping) else f"an array of shape {rows.y.shape}"
        raise ValueError(f"the network predicts tasks {sorted(tasks)}, and y is for {given}; they must agree.")
    if isinstance(functions, Mapping) and set(functions) != set(tasks):
        raise ValueError(f"the network predicts tasks {sorted(tasks)}, losses are for {sorted(functions)}.")


def _check_stack(tasks: int, functions: Any, rows: Examples) -> None:
    if isinstance(rows.y, Mapping) or rows.y.shape[1] != tasks:
        given = f"a dictionary of {sorted(rows.y)}" if isinstance(rows.y, Mapping) else f"of shape {rows.y.shape}"
        raise ValueError(f"the network has {tasks} stacked heads and y is {given}; expected an array (rows, {tasks}).")
    if isinstance(functions, Mapping):
        raise ValueError("stacked heads share one loss; give a dictionary of heads for a loss per task.")
