"""One training step as a pure function: the tasks' gradients, their balance, the optimizer, and what is not finite."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxreg import _tree
from jaxreg._pytree import pytree
from jaxreg._typing import Array, PyTree
from jaxreg.nn.training import balance
from jaxreg.nn.training.objective import TaskFunction
from jaxreg.penalties import Penalty
from jaxreg.transforms._shared import check_weighting
from jaxreg.transforms.adaptive import rests
from jaxreg.weightings import Weighting


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
    """`init(params, key, batch) -> state` and `update(state, batch, **extra) -> (state, losses (tasks,))`, both pure.

    `extra` goes to the optimizer, such as `validation=` to `jaxreg.adaptive_proximal`.
    """

    init: Callable[[PyTree, Array, Any], TrainState]
    update: Callable[..., tuple[TrainState, Array]]


def train_step(
    losses: TaskFunction,
    tx: Any,
    *,
    penalty: Penalty | None = None,
    weighting: Weighting | None = None,
    shared: str = "trunk",
    per: str | None = None,
    chunk: int | None = None,
) -> Step:
    """A step on Σₜ lossₜ + penalty, or along a weighting of the tasks' gradients, by an optax transformation.

    `losses` is any function (params, batch, key) -> (tasks,), such as `task_losses(net, loss)`; `penalty` a smooth one,
    as one with kinks belongs in `jaxreg.proximal` at the end of `tx`. With a weighting of `jaxreg.weightings`, or of
    one's own on their base, the leaves that match `shared` move along Σₜ wₜ gₜ, the others along the plain sum; with
    `per` "layer" or "leaf" each group of leaves has its own weights. Small gradients are held side by side, of more
    than 2²⁴ numbers only the Gramian is formed, task by task; `chunk` asks for that, so many tasks together.

    A step whose losses, gradients, parameters or optimizer's state would not be finite changes neither the parameters
    nor the states of optimizer and weighting, and is counted in `skipped`. Raises TypeError for what is no weighting,
    ValueError for a penalty with kinks, a glob without a match, a weighting with parameters out of range, and for
    `jaxreg.adaptive_proximal` in `tx` without a rule or a `validation=`.

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
    _check(penalty, weighting)

    def init(params: PyTree, key: Array, batch: Any) -> TrainState:
        state: Any = ()
        if weighting is not None:
            tasks = int(jax.eval_shape(losses, params, batch, key).shape[0])
            state = balance.start(weighting, shared, per, tasks, params)
        zero = jnp.zeros((), jnp.int32)
        return TrainState(params, tx.init(params), state, key, zero, zero)

    def update(state: TrainState, batch: Any, **extra: Any) -> tuple[TrainState, Array]:
        key, for_loss, for_weights = jax.random.split(state.key, 3)
        params, memory = state.params, state.weighting

        def f(p: PyTree) -> Array:
            return losses(p, batch, for_loss)

        if weighting is None:
            values, grads = _summed(f, params)
        else:
            values, grads, memory = balance.balanced(
                f, params, weighting, shared, per, chunk, state.weighting, for_weights
            )
        if penalty is not None:
            grads = _tree.add_scale(grads, 1, jax.grad(penalty.value)(params))
        _check_validation(state.opt, extra)
        updates, opt = tx.update(grads, state.opt, params, **extra)
        moved = jax.tree.map(lambda p, u: p + u.astype(p.dtype), params, updates)
        fine = jnp.all(jnp.isfinite(values)) & _tree.all_finite(grads) & _tree.all_finite(moved)
        new, fine = (moved, opt, memory), fine & _stays_finite(state.opt, opt)
        params, opt, memory = _tree.where(fine, new, (params, state.opt, state.weighting))
        return TrainState(params, opt, memory, key, state.steps + 1, state.skipped + ~fine), values

    return Step(init, update)


def _check(penalty: Penalty | None, weighting: Any) -> None:
    if penalty is not None and not penalty.smooth:
        raise ValueError(
            f"train_step: {penalty!r} has kinks, where its gradient makes no zeros; give it to "
            "jaxreg.proximal(penalty, learning_rate, ...) as the last link of tx."
        )
    if weighting is not None:
        check_weighting("train_step", weighting)


def _check_validation(opt: Any, extra: dict[str, Any]) -> None:
    if rests(opt) and "validation" not in extra:
        raise ValueError(
            "train_step: the strengths of adaptive_proximal in tx move by a loss of held-out rows, and none is given: "
            "give the link a rule=, or call update(state, batch, validation=loss of the parameters); nn.fit has none."
        )


def _stays_finite(old: PyTree, new: PyTree) -> Array:
    """Whether every number that was finite still is; an optimizer may start at infinity, as a smallest loss so far."""
    pairs = zip(jax.tree.leaves(old), jax.tree.leaves(new), strict=True)
    kept = [(a, b) for a, b in pairs if jnp.issubdtype(jnp.result_type(b), jnp.inexact)]
    return reduce(jnp.logical_and, [jnp.all(jnp.isfinite(b) | ~jnp.isfinite(a)) for a, b in kept], jnp.bool_(True))


def _summed(f: Callable[[PyTree], Array], params: PyTree) -> tuple[Array, PyTree]:
    def total(p: PyTree) -> tuple[Array, Array]:
        values = f(p)
        return jnp.sum(values), values

    (_, values), grads = jax.value_and_grad(total, has_aux=True)(params)
    return values, grads
