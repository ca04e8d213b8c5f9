"""What a step of one task does for the others."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxreg._typing import Array, ArrayLike, PyTree
from jaxreg.transforms._shared import layout
from jaxreg.transforms.task_gradients import Losses, task_jacobian


def task_affinity(f: Losses, params: PyTree, learning_rate: ArrayLike, shared: str = "*") -> Array:
    """Affinities Zᵢⱼ = 1 - fⱼ(θ - η ∇fᵢ)/fⱼ(θ), shape (T, T): above 0 where a step of task i lowers the loss of j.

    The step is on the leaves that match the glob `shared` alone (Fifty et al. 2021, equation 1), of size
    `learning_rate`; `f(params)` gives the losses (T,) of one batch. All T lookaheads are one `vmap`. Means over the
    steps of a training say what `group_tasks` may group. A task of loss 0 has affinity 0 from all.

    Raises ValueError for a glob without a match and losses that are no vector.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> f = lambda p: jnp.stack([(p[0] - 1) ** 2, (p[0] + 1) ** 2, (p[1] - 1) ** 2])
    >>> jr.task_affinity(f, jnp.zeros(2), 0.25).tolist()
    [[0.75, -1.25, 0.0], [-1.25, 0.75, 0.0], [0.0, 0.0, 0.75]]
    """
    owner = layout("task_affinity", params, shared, None).owner
    before, rows = task_jacobian(f, params, shared)
    leaves, tree = jax.tree.flatten(params)
    moved = [
        jnp.asarray(p)[None] - jnp.asarray(learning_rate, r.dtype) * r if own >= 0 else p
        for p, r, own in zip(leaves, jax.tree.leaves(rows), owner, strict=True)
    ]
    axes = jax.tree.unflatten(tree, [0 if own >= 0 else None for own in owner])
    after = jax.vmap(f, (axes,))(jax.tree.unflatten(tree, moved))
    there = before != 0
    ratio = jnp.asarray(after) / jnp.where(there, before, 1.0)[None]
    return jnp.where(there[None], 1 - ratio, jnp.zeros_like(ratio))
