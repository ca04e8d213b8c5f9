"""How strongly a task is held to the others, by how many rows it has."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from jaxreg import _validate
from jaxreg._pytree import show
from jaxreg._typing import Array, ArrayLike


def adaptive_strengths(weights: ArrayLike, features: int, constant: ArrayLike = 1.0) -> Array:
    """C √(d/nₜ), one strength per task: the rule of adaptive and robust multi-task learning (Duan and Wang 2023).

    `weights` (T, m) are those of `tasks`; nₜ = (Σw)²/Σw² counts the rows of a task, as Kish does where weights differ.
    `features` is d, the number of a task's parameters, and C the constant, of the order of the noise. With
    `multitask`, own parts v in `strengths[:, None] * jr.L2(axis=1).on("own")` make a task's estimate u + v: a task that
    agrees with the others is pooled exactly, an outlier is left alone. A task without rows gets an infinite strength.

    Raises ValueError for weights without a task axis, or below 0.

    >>> import numpy as np, jaxreg as jr
    >>> jr.adaptive_strengths(np.array([[1.0, 1, 1, 1], [1, 0, 0, 0]]), features=4).tolist()
    [1.0, 2.0]
    """
    where = "adaptive_strengths"
    w = _validate.array(where, "weights", weights)
    if w.ndim != 2:
        raise ValueError(f"{where}: weights have shape {w.shape}, expected (tasks, rows) as jaxreg.tasks gives them.")
    if features < 1:
        raise ValueError(f"{where}: features is {features!r}, expected the number >= 1 of a task's parameters.")
    if not _validate.traced(w, constant):
        if not np.all(np.asarray(w) >= 0) or not np.all(np.isfinite(w)):
            raise ValueError(f"{where}: weights must be finite and >= 0, got a minimum of {np.min(w)}.")
        if not np.all(np.asarray(constant) >= 0):
            raise ValueError(f"{where}: constant is {show(constant)}, expected a number >= 0.")
    top = jnp.max(w, axis=1, keepdims=True)
    relative = w / jnp.where(top > 0, top, 1.0)  # squares of the weights themselves may underflow
    square = jnp.sum(jnp.square(relative), 1)
    rows = jnp.square(jnp.sum(relative, 1)) / jnp.where(square > 0, square, 1.0)
    counted = jnp.where(square > 0, rows, 1.0)
    return jnp.where(square > 0, jnp.asarray(constant, w.dtype) * jnp.sqrt(features / counted), jnp.inf)
