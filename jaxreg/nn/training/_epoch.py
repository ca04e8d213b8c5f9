"""An epoch of every seed as one compiled program, and what is kept of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg import _tree
from jaxreg._pytree import pytree
from jaxreg._typing import Array, PyTree
from jaxreg.nn._module import Network
from jaxreg.nn.training.data import Examples
from jaxreg.nn.training.objective import over_chunks, per_task
from jaxreg.nn.training.step import Step, TrainState, train_step


@dataclass(frozen=True)
class Plan:
    """What an epoch is compiled for."""

    net: Network
    tx: Any
    shared: str
    batch_size: int
    per: str | None
    chunk: int | None


@pytree
class Rules:
    """What an epoch takes as arguments: strengths and other numbers in here do not compile anew."""

    loss: Any
    metric: Any
    penalty: Any
    weighting: Any

    def step(self, plan: Plan) -> Step:
        """The training step."""
        net, loss = plan.net, self.loss
        return train_step(
            lambda params, rows, key: per_task(net, loss, params, rows, key),
            plan.tx,
            penalty=self.penalty,
            weighting=self.weighting,
            shared=plan.shared,
            per=plan.per,
            chunk=plan.chunk,
        )


@pytree
class Lane:
    """One seed: its state, its best parameters so far, the validation loss they had and in which epoch."""

    state: TrainState
    params: Any
    value: Any
    best: Any
    epoch: Any


@pytree
class History:
    """Losses of training (S, E, T) and validation (S, E, T), and the metric on validation rows, on the host."""

    train: Any
    validation: Any
    metric: Any

    @classmethod
    def of(cls, seeds: int, tasks: int, metric: bool) -> History:
        """No epoch yet."""
        blank = np.zeros((seeds, 0, tasks), np.float32)
        return cls(blank, blank, blank if metric else None)

    def blank(self, epochs: int) -> History:
        """Room for so many epochs."""
        return jax.tree.map(lambda a: np.zeros((a.shape[0], epochs, a.shape[2]), a.dtype), self)

    def grown(self, found: tuple[Array, Array, Array | None]) -> History:
        """With one more epoch, (S, T) each."""
        return jax.tree.map(lambda a, b: np.concatenate([a, np.asarray(b, a.dtype)[:, None]], 1), self, History(*found))


@partial(jax.jit, static_argnames="plan")
def start(plan: Plan, keys: Array, train: Examples, rules: Rules) -> Lane:
    """Every seed before its first step."""

    def one(key: Array) -> Lane:
        for_params, for_steps = jax.random.split(key)
        batch = train.take(jnp.arange(plan.batch_size))
        params = plan.net.init(for_params, jax.tree.map(lambda a: a[:1], batch.x))
        state = rules.step(plan).init(params, for_steps, batch)
        value = jnp.full((), jnp.inf, _tree.dtype(params))
        return Lane(state, params, value, jnp.full((), -1, jnp.int32), jnp.zeros((), jnp.int32))

    return jax.vmap(one)(keys)


@partial(jax.jit, static_argnames="plan")
def epoch(
    plan: Plan, lanes: Lane, train: Examples, validation: Examples, rules: Rules
) -> tuple[Lane, tuple[Array, Array, Array | None]]:
    """One pass over the training rows and a look at the validation rows, for every seed."""
    step = rules.step(plan)
    n, size = len(train), plan.batch_size

    def one(lane: Lane) -> tuple[Lane, tuple[Array, Array, Array | None]]:
        order = jax.random.permutation(jax.random.fold_in(lane.state.key, 1), n)[: n // size * size]
        state, losses = jax.lax.scan(
            lambda state, rows: step.update(state, train.take(rows)), lane.state, order.reshape(-1, size)
        )
        held = over_chunks(plan.net, rules.loss, state.params, validation)
        metric = None if rules.metric is None else over_chunks(plan.net, rules.metric, state.params, validation)
        value = jnp.sum(held).astype(lane.value.dtype)
        new, old = (state.params, value, lane.epoch), (lane.params, lane.value, lane.best)
        params, value, best = _tree.where(value < lane.value, new, old)
        return Lane(state, params, value, best, lane.epoch + 1), (_finite_mean(losses), held, metric)

    return jax.vmap(one)(lanes)


@partial(jax.jit, static_argnames="plan")
def over_lanes(plan: Plan, functions: Any, params: PyTree, rows: Examples) -> Array:
    """Losses or metrics of every seed over all rows, (S, T)."""
    return jax.vmap(lambda p: over_chunks(plan.net, functions, p, rows))(params)


def _finite_mean(losses: Array) -> Array:
    """The mean over steps of those that are finite, NaN where none is."""
    fine = jnp.isfinite(losses)
    count = jnp.sum(fine, 0)
    return jnp.where(count > 0, jnp.sum(jnp.where(fine, losses, 0.0), 0) / jnp.maximum(count, 1), jnp.nan)
