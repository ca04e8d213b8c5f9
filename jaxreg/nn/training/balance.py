"""The tasks' gradients into one: by their rows where those are small, else by their Gramian without any row."""

from __future__ import annotations

from typing import Any

import jax

from jaxreg._typing import Array, PyTree
from jaxreg.transforms import aggregate, task_jacobian, weighted_gradient
from jaxreg.transforms._shared import layout
from jaxreg.transforms.aggregate import AggregateState
from jaxreg.transforms.task_gradients import Losses
from jaxreg.weightings import Weighting

KEPT = 2**24


def start(weighting: Weighting, shared: str, per: str | None, tasks: int, params: PyTree) -> tuple[Any, ...]:
    """The weighting's state of every group of shared leaves, before the first step."""
    layout("train_step", params, shared, per)  # so that an error names the function that was called
    return aggregate(weighting, shared, per, tasks=tasks).init(params).inner


def balanced(
    f: Losses,
    params: PyTree,
    weighting: Weighting,
    shared: str,
    per: str | None,
    chunk: int | None,
    state: tuple[Any, ...],
    key: Array,
) -> tuple[Array, PyTree, tuple[Any, ...]]:
    """The losses f(params) (T,), Σ wᵢ ∇fᵢ on shared leaves and the plain sum on others, and the weighting's new state.

    Rows are kept where a weighting combines them, and where they are 2²⁴ numbers at most: at 2 tasks the Gramian takes
    1.2 to 2 times as long, and f in forward mode, and saves memory alone. With a `chunk` it goes by the Gramian.
    """
    ours = layout("train_step", params, shared, per).shared
    if not _by_rows(f, params, weighting, ours, chunk):
        found = weighted_gradient(f, params, weighting, shared, per, state=state, key=key, chunk=chunk or 1)
        return found.losses, found.grad, found.state
    values, rows = task_jacobian(f, params, shared, chunk=chunk)
    link = aggregate(weighting, shared, per, tasks=len(values))
    grads, after = link.update(rows, AggregateState(state), params, losses=values, key=key)
    return values, grads, after.inner


def _by_rows(f: Losses, params: PyTree, weighting: Weighting, ours: list[int], chunk: int | None) -> bool:
    if weighting.rowwise:
        return True
    if chunk is not None or not weighting.from_gramian:
        return False
    leaves = jax.tree.leaves(params)
    return jax.eval_shape(f, params).size * sum(leaves[i].size for i in ours) <= KEPT
