"""Balanced task gradients as the first optax link."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxreg._typing import Array, ArrayLike, PyTree
from jaxreg.transforms._shared import Layout, check_mask, check_weighting, layout, masked_rows, mean
from jaxreg.weightings import Weighting


class AggregateState(NamedTuple):
    """The weighting's state for every group of shared leaves."""

    inner: tuple[Any, ...]


def aggregate(
    weighting: Weighting,
    shared: str = "*",
    per: str | None = None,
    *,
    tasks: int | None = None,
    axis_name: str | None = None,
) -> optax.GradientTransformationExtraArgs:
    """Task gradients into one: the first link of an optax chain, before any preconditioner.

    Updates have a leading task axis on the leaves that match the glob `shared` and none on the others, a task's own,
    which pass unchanged: they are summed, never balanced. `task_jacobian` makes such updates. One set of weights serves
    all shared leaves, or with `per` "layer" or "leaf" each group its own. `update` takes `losses=` (T,), `key=` and
    `present=` (T,), the tasks that have labels in this batch: the others have weight 0 and disturb nobody; give it to
    `task_jacobian` too, whose sums on the other leaves hold every task's part. A weighting with memory needs the
    number of `tasks`. With `axis_name` the rows are averaged over devices before the Gramian; give `task_jacobian` the
    axis too, as `shard_map` sums the gradients of parameters that all devices hold, where the mean is wanted.

    Weights of a NaN row are NaN, and so are the updates; `optax.apply_if_finite` around the chain keeps the parameters.
    Raises TypeError for what is no weighting, ValueError for a glob that matches nothing or rows that disagree.

    >>> import jax.numpy as jnp, optax, jaxreg as jr
    >>> tx = optax.chain(jr.aggregate(jr.weightings.MGDA(), shared="trunk"), optax.sgd(1.0))
    >>> p = {"trunk": jnp.zeros(2), "head": jnp.zeros(3)}
    >>> rows = {"trunk": jnp.array([[1.0, 0.0], [0.0, 1.0]]), "head": jnp.ones(3)}
    >>> u, _ = tx.update(rows, tx.init(p), p)
    >>> u["trunk"].round(3).tolist(), u["head"].tolist()
    ([-0.5, -0.5], [-1.0, -1.0, -1.0])
    """
    check_weighting("aggregate", weighting)
    if weighting.stateful and tasks is None:
        raise ValueError(f"aggregate: {weighting!r} remembers every task: give their number, tasks=.")

    def init(params: PyTree) -> AggregateState:
        form = layout("aggregate", params, shared, per)
        leaves = jax.tree.leaves(params)
        if tasks is None:
            return AggregateState(() if weighting.stateful else ((),) * len(form.groups))
        members = [[leaves[i] for i in form.members(group)] for group in range(len(form.groups))]
        return AggregateState(tuple(weighting.init(tasks, group) for group in members))

    def update(
        updates: PyTree,
        state: AggregateState,
        params: PyTree | None = None,
        *,
        losses: ArrayLike | None = None,
        key: Array | None = None,
        present: ArrayLike | None = None,
        **extra: Any,
    ) -> tuple[PyTree, AggregateState]:
        leaves, tree = jax.tree.flatten(updates)
        form = layout("aggregate", updates, shared, per)
        check_mask("aggregate", present, _count(form, leaves, params, tasks))
        leaves, losses = mean(leaves, axis_name), mean(losses, axis_name)
        inner = []
        for group, old in enumerate(state.inner):
            members = form.members(group)
            rows = [masked_rows(leaves[i], present) for i in members]
            out, new = weighting.combine(rows, old, losses, key)
            inner.append(new)
            for i, direction in zip(members, out, strict=True):
                leaves[i] = direction
        return jax.tree.unflatten(tree, leaves), AggregateState(tuple(inner))

    return optax.GradientTransformationExtraArgs(init, update)


def _count(form: Layout, leaves: list[Array], params: PyTree | None, tasks: int | None) -> int:
    """The number of tasks. Raises ValueError where rows disagree with each other, the parameters or `tasks`."""
    shapes = [jnp.shape(leaves[i]) for i in form.shared]
    rows = {shape[:1] for shape in shapes}
    fits = len(rows) == 1 and () not in rows and tasks in (None, *shapes[0][:1])
    if params is not None:
        own = [jnp.shape(x) for x in jax.tree.leaves(params)]
        fits = fits and all(shape[1:] == own[i] for i, shape in zip(form.shared, shapes, strict=True))
    if not fits:
        count = "tasks" if tasks is None else str(tasks)
        raise ValueError(
            f"aggregate: updates of shared leaves have shapes {shapes}, expected ({count}, *shape of the parameter): "
            "one row per task, as task_jacobian gives them."
        )
    return shapes[0][0]
