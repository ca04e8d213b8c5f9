"""The gradients of several tasks: their rows by chunks, or their Gramian and one weighted sum without any row kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxreg._typing import Array, ArrayLike, PyTree
from jaxreg.transforms._shared import Layout, check_mask, check_weighting, layout, masked, masked_rows, mean
from jaxreg.weightings import Weighting

Losses = Callable[[Any], Any]


class TaskGradient(NamedTuple):
    """The gradient to descend along, the losses (T,), the weights (T,) (by group if there are several), the state."""

    grad: PyTree
    losses: Array
    weights: Any
    state: Any


class _Linear(NamedTuple):
    """Losses linearised in the shared leaves: values, push-forward, pull-back, and the pull-back of the own leaves."""

    losses: Array
    push: Callable[..., Any] | None
    pull: Callable[..., Any]
    pull_own: Callable[..., Any]


def task_jacobian(
    f: Losses,
    params: PyTree,
    shared: str = "*",
    *,
    present: ArrayLike | None = None,
    chunk: int | None = None,
    axis_name: str | None = None,
) -> tuple[Array, PyTree]:
    """The losses f(params) (T,) and their gradients: a leading task axis on shared leaves, summed on all others.

    `shared` is a glob on leaf names; `chunk` rows are computed together, all by default. What they return goes into
    `aggregate`. Inside `shard_map` or `vmap` with an axis name, rows are averaged over it. Tasks not `present` (T,)
    have loss 0, a row of zeros and no part in the sums, whatever f gives for them, on condition that f's derivative is
    finite: 0 · NaN in its own backward pass, as of labels that are NaN, reaches every row. Mask inside f, as with
    jnp.where(known, y, 0) before the loss and as `jaxreg.nn.task_losses` does.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> losses, rows = jr.task_jacobian(lambda p: jnp.stack([p @ p, p.sum()]), jnp.array([1.0, 2.0]))
    >>> losses.tolist(), rows.tolist()
    ([5.0, 3.0], [[2.0, 4.0], [1.0, 1.0]])
    """
    leaves, tree = jax.tree.flatten(params)
    form = layout("task_jacobian", params, shared, None)
    f = _among("task_jacobian", f, present)
    losses, back = jax.vjp(_over(f, leaves, tree, form.shared, axis_name), _pick(leaves, form.shared))
    basis = jnp.eye(len(losses), dtype=losses.dtype)
    rows = jax.lax.map(lambda e: mean(back(e)[0], axis_name), basis, batch_size=chunk or len(losses))
    rows = [masked_rows(x, present) for x in rows]
    own = _own_gradient(f, leaves, tree, form, axis_name)(jnp.ones_like(losses))
    return losses, _merge(tree, form, rows, own)


def task_gramian(
    f: Losses,
    params: PyTree,
    shared: str = "*",
    per: str | None = None,
    *,
    present: ArrayLike | None = None,
    chunk: int = 1,
    axis_name: str | None = None,
) -> Any:
    """The Gramian (T, T) of the gradients of f(params) (T,) in the shared leaves, of which no row is kept.

    Column i is J(J'eᵢ), one pull-back and one push-forward, `chunk` of them together; f must admit forward mode. `per`
    "layer" or "leaf" gives a dictionary of one Gramian per group. Rows and columns of tasks not `present` (T,) are 0,
    on the condition of `task_jacobian`.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.task_gramian(lambda p: jnp.stack([p @ p, p.sum()]), jnp.array([1.0, 2.0])).tolist()
    [[20.0, 6.0], [6.0, 2.0]]
    """
    leaves, tree = jax.tree.flatten(params)
    form = layout("task_gramian", params, shared, per)
    linear = _linearise(_among("task_gramian", f, present), leaves, tree, form, axis_name)
    return form.named(_gramians(linear, form, present, chunk, axis_name), per)


def weighted_gradient(
    f: Losses,
    params: PyTree,
    weighting: Weighting,
    shared: str = "*",
    per: str | None = None,
    *,
    state: Any = None,
    key: Array | None = None,
    present: ArrayLike | None = None,
    chunk: int = 1,
    axis_name: str | None = None,
) -> TaskGradient:
    """The weighted gradient Σ wᵢ ∇fᵢ on shared leaves, the plain sum on all others, by way of the Gramian.

    Nothing of size T x parameters is stored. A weighting with memory takes its `state` from the last result (None
    starts), a random one a `key`. Tasks not `present` (T,) have loss and weight 0 and no part in the plain sum, on the
    condition of `task_jacobian`. Raises TypeError for a weighting that needs the rows: use `task_jacobian` and
    `aggregate`.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> g = jr.weighted_gradient(lambda p: jnp.stack([p.sum(), p[0] - p[1]]), jnp.ones(2), jr.weightings.MGDA())
    >>> g.weights.round(3).tolist(), g.grad.round(3).tolist()
    ([0.5, 0.5], [1.0, 0.0])
    """
    check_weighting("weighted_gradient", weighting)
    if weighting.rowwise:
        raise TypeError(f"weighted_gradient keeps no rows, {weighting!r} needs them: use task_jacobian and aggregate.")
    leaves, tree = jax.tree.flatten(params)
    form = layout("weighted_gradient", params, shared, per)
    f = _among("weighted_gradient", f, present)
    linear = _linearise(f, leaves, tree, form, axis_name, forward=weighting.from_gramian)
    tasks = len(linear.losses)
    there = masked(jnp.eye(tasks, dtype=linear.losses.dtype), present)
    known = [there] * len(form.groups)
    gramians = _gramians(linear, form, present, chunk, axis_name) if weighting.from_gramian else known
    states = state if state is not None else tuple(weighting.init(tasks, linear.losses) for _ in form.groups)
    steps = [weighting.update(G, s, linear.losses, key) for G, s in zip(gramians, states, strict=True)]
    pulled = [mean(linear.pull(w.astype(linear.losses.dtype))[0], axis_name) for w, _ in steps]
    owners = [form.owner[i] for i in form.shared]
    grads = [pulled[owner][i] for i, owner in enumerate(owners)]
    grad = _merge(tree, form, grads, linear.pull_own(jnp.diagonal(there)))
    return TaskGradient(grad, linear.losses, form.named([w for w, _ in steps], per), tuple(s for _, s in steps))


def _gramians(
    linear: _Linear, form: Layout, present: ArrayLike | None, chunk: int, axis_name: str | None
) -> list[Array]:
    owners, push = [form.owner[i] for i in form.shared], linear.push
    assert push is not None

    def column(e: Array) -> Array:
        row = mean(linear.pull(e)[0], axis_name)
        parts = [
            [r if owner == group else jnp.zeros_like(r) for r, owner in zip(row, owners, strict=True)]
            for group in range(len(form.groups))
        ]
        return jnp.stack([push(part) for part in parts])

    basis = jnp.eye(len(linear.losses), dtype=linear.losses.dtype)
    columns = jax.lax.map(column, basis, batch_size=chunk)
    return [masked(0.5 * (G + G.T), present) for G in jnp.moveaxis(columns, 1, 0)]


def _linearise(
    f: Losses, leaves: list, tree: Any, form: Layout, axis_name: str | None, forward: bool = True
) -> _Linear:
    """Without `forward` there is no push-forward, and f need not admit one."""
    shared, over = _pick(leaves, form.shared), _over(f, leaves, tree, form.shared, axis_name)
    own = _own_gradient(f, leaves, tree, form, axis_name)
    if not forward:
        losses, pull = jax.vjp(over, shared)
        return _Linear(losses, None, pull, own)
    losses, push = jax.linearize(over, shared)
    return _Linear(losses, push, jax.linear_transpose(push, shared), own)


def _among(where: str, f: Losses, present: ArrayLike | None) -> Losses:
    """The losses (T,) as an array, 0 where a task is absent. Raises ValueError for another shape."""

    def of(params: PyTree) -> Array:
        losses = jnp.asarray(f(params))
        if losses.ndim != 1 or not losses.size:
            raise ValueError(f"{where}: f(params) has shape {losses.shape}, expected (tasks,), one loss per task.")
        check_mask(where, present, len(losses))
        return masked_rows(losses, present)

    return of


def _over(f: Losses, leaves: list, tree: Any, chosen: list[int], axis_name: str | None) -> Losses:
    """The mean losses over devices as a function of the chosen leaves alone."""

    def of(values: list[Array]) -> Array:
        full = list(leaves)
        for i, value in zip(chosen, values, strict=True):
            full[i] = value
        return mean(f(jax.tree.unflatten(tree, full)), axis_name)

    return of


def _own_gradient(
    f: Losses, leaves: list, tree: Any, form: Layout, axis_name: str | None
) -> Callable[[Array], list[Array]]:
    """The summed gradient in the leaves that are a task's own."""
    own = [i for i, owner in enumerate(form.owner) if owner < 0]

    def pull(cotangent: Array) -> list[Array]:
        if not own:
            return []
        _, back = jax.vjp(_over(f, leaves, tree, own, axis_name), _pick(leaves, own))
        return mean(back(cotangent)[0], axis_name)

    return pull


def _pick(leaves: list, chosen: list[int]) -> list[Array]:
    return [jnp.asarray(leaves[i]) for i in chosen]


def _merge(tree: Any, form: Layout, shared: list[Array], own: list[Array]) -> PyTree:
    both, rest = iter(shared), iter(own)
    return jax.tree.unflatten(tree, [next(both) if owner >= 0 else next(rest) for owner in form.owner])
