"""One training step as a pure function: the tasks' gradients, their balance, the optimizer, and what is not finite."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxreg import _tree
from jaxreg._pytree import pytree
from jaxreg._typing import Array, PyTree
from jaxreg.nn.training.objective import TaskFunction
from jaxreg.penalties import Penalty
from jaxreg.weightings._rows import gramian_of, weighted_sum


@pytree
class TrainState:
    """What a step changes: parameters, the optimizer's and the weighting's state, the key, steps taken and skipped."""

    params: Any
    opt: Any
    weighting: Any
    key: Any
    steps: Any
    skipped: Any


class Step(NamedTuple):
    """`init(params, key, batch) -> state` and `update(state, batch) -> (state, losses (tasks,))`, both pure."""

    init: Callable[[PyTree, Array, Any], TrainState]
    update: Callable[[TrainState, Any], tuple[TrainState, Array]]


def train_step(
    losses: TaskFunction, tx: Any, *, penalty: Penalty | None = None, weighting: Any = None, shared: str = "trunk"
) -> Step:
    """A step on Σₜ lossₜ + penalty, or along a weighting of the tasks' gradients, by an optax transformation.

    `losses` is any function (params, batch, key) -> (tasks,), such as `task_losses(net, loss)`; `penalty` a smooth one,
    as one with kinks belongs in `jaxreg.proximal` at the end of `tx`. A weighting is `init(tasks) -> state` and
    `update(gramian (tasks, tasks), state, losses, key) -> (weights (tasks,), state)`, as those of `jaxreg.weightings`:
    the leaves that match `shared` move along Σₜ wₜ gₜ, the others along the plain sum. A `rowwise` one, such as
    `GradDrop`, has `init(tasks, leaves)` and combines the shared rows itself.

    A step whose losses, gradients or result are not finite changes neither the parameters nor the states of optimizer
    and weighting, and is counted in `skipped`. Raises ValueError for a penalty with kinks and a glob without a match.

    >>> import jax, jax.numpy as jnp, optax
    >>> from jaxreg import nn
    >>> step = nn.train_step(lambda p, batch, key: jnp.stack([(p - 1) ** 2, (p - batch) ** 2]), optax.sgd(0.25))
    >>> state = step.init(jnp.zeros(()), jax.random.key(0), jnp.array(3.0))
    >>> state, losses = step.update(state, jnp.array(3.0))
    >>> losses.tolist(), float(state.params)
    ([1.0, 9.0], 2.0)
    >>> int(step.update(state, jnp.array(jnp.nan))[0].skipped)
    1
    """
    if penalty is not None and not penalty.smooth:
        raise ValueError(
            f"train_step: {penalty!r} has kinks, where its gradient makes no zeros; give it to "
            "jaxreg.proximal(penalty, learning_rate, ...) as the last link of tx."
        )

    def init(params: PyTree, key: Array, batch: Any) -> TrainState:
        state = () if weighting is None else _remembered(weighting, shared, _count(losses, params, batch, key), params)
        zero = jnp.zeros((), jnp.int32)
        return TrainState(params, tx.init(params), state, key, zero, zero)

    def update(state: TrainState, batch: Any) -> tuple[TrainState, Array]:
        key, for_loss, for_weights = jax.random.split(state.key, 3)
        params = state.params
        if weighting is None:
            values, grads = _summed(losses, params, batch, for_loss)
            balance = state.weighting
        else:
            values, rows = _rows(losses, params, batch, for_loss)
            grads, balance = _balanced(weighting, shared, rows, values, state.weighting, for_weights)
        if penalty is not None:
            grads = _tree.add_scale(grads, 1, jax.grad(penalty.value)(params))
        updates, opt = tx.update(grads, state.opt, params)
        moved = jax.tree.map(lambda p, u: p + u.astype(p.dtype), params, updates)
        fine = jnp.all(jnp.isfinite(values)) & _tree.all_finite(grads) & _tree.all_finite(moved)
        new = (moved, opt, balance)
        params, opt, balance = _tree.where(fine, new, (params, state.opt, state.weighting))
        return TrainState(params, opt, balance, key, state.steps + 1, state.skipped + ~fine), values

    return Step(init, update)


def _count(losses: TaskFunction, params: PyTree, batch: Any, key: Array) -> int:
    """How many tasks there are."""
    return int(jax.eval_shape(losses, params, batch, key).shape[0])


def _summed(losses: TaskFunction, params: PyTree, batch: Any, key: Array) -> tuple[Array, PyTree]:
    def total(p: PyTree) -> tuple[Array, Array]:
        values = losses(p, batch, key)
        return jnp.sum(values), values

    (_, values), grads = jax.value_and_grad(total, has_aux=True)(params)
    return values, grads


def _rows(losses: TaskFunction, params: PyTree, batch: Any, key: Array) -> tuple[Array, PyTree]:
    """The losses and every task's gradient, leaves with a leading task axis."""
    values, pull = jax.vjp(lambda p: losses(p, batch, key), params)
    return values, jax.vmap(lambda row: pull(row)[0])(jnp.eye(values.shape[0], dtype=values.dtype))


def _remembered(weighting: Any, shared: str, tasks: int, params: PyTree) -> Any:
    """The weighting's state before the first step."""
    if not _is_rowwise(weighting):
        return weighting.init(tasks)
    leaves, hits = _shared(shared, params)
    return weighting.init(tasks, [leaves[i] for i in hits])


def _balanced(weighting: Any, shared: str, rows: PyTree, values: Array, state: Any, key: Array) -> tuple[PyTree, Any]:
    leaves, hits = _shared(shared, rows)
    ours = [leaves[i] for i in hits]
    if _is_rowwise(weighting):
        moved, state = weighting.combine(ours, state, losses=values, key=key)
    else:
        weights, state = weighting.update(gramian_of(ours), state, losses=values, key=key)
        moved = [weighted_sum(weights, leaf) for leaf in ours]
    found = dict(zip(hits, moved, strict=True))
    combined = [found[i] if i in found else jnp.sum(leaf, 0) for i, leaf in enumerate(leaves)]
    return jax.tree.unflatten(jax.tree.structure(rows), combined), state


def _shared(shared: str, tree: PyTree) -> tuple[list[Array], list[int]]:
    """All leaves, and the places of those that tasks share."""
    names = _tree.names(tree)
    hits = set(_tree.matching(names, shared, f"train_step: shared={shared!r}"))
    return jax.tree.leaves(tree), [i for i, name in enumerate(names) if name in hits]


def _is_rowwise(weighting: Any) -> bool:
    return getattr(weighting, "rowwise", False)
