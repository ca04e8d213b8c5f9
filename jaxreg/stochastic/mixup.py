"""Rows mixed with other rows."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike, Data, PyTree
from jaxreg.stochastic._base import Stochastic, check_number, check_risk


@pytree
class Mixup(Stochastic):
    """A risk of mixed rows; made by `mixup`."""

    risk: Any
    alpha: ArrayLike
    mixes = True

    def perturb(self, params: PyTree, data: Data, weights: Any, key: Array) -> tuple[PyTree, Data, Any]:
        """Every row mixed with a partner of its own sample; labels that do not mix are both kept, at their shares."""
        X, y = jax.tree.map(jnp.asarray, data)
        rows = self.base.row_weights((X, y), weights)
        draw, share = jax.random.split(key)
        other, kept = _partners(draw, rows), self._share(share, rows)
        mixed = jax.tree.map(lambda x: _mix(kept, x, _take(x, other, rows.ndim)), X)
        if self.base.loss.mixable and jnp.issubdtype(y.dtype, jnp.floating):
            return params, (mixed, _mix(kept, y, _take(y, other, rows.ndim))), rows
        axis = rows.ndim - 1
        twice = jax.tree.map(lambda x: jnp.concatenate([x, x], axis), mixed)
        both = jnp.concatenate([y, _take(y, other, rows.ndim)], axis)
        return params, (twice, both), jnp.concatenate([kept * rows, (1 - kept) * rows], axis)

    def _share(self, key: Array, rows: Array) -> Array:
        """The larger share of Beta(alpha, alpha): which of two rows is called the partner makes no difference."""
        alpha = jnp.asarray(self.alpha, rows.dtype)
        some = alpha > 0
        drawn = jax.random.beta(key, jnp.where(some, alpha, 1.0), jnp.where(some, alpha, 1.0), rows.shape, rows.dtype)
        return jnp.where(some, jnp.maximum(drawn, 1 - drawn), 1.0)


def mixup(risk: Any, alpha: ArrayLike) -> Mixup:
    """Replace rows and targets by mixtures with random partners at shares from Beta(alpha, alpha) (Zhang et al. 2018).

    Partners are drawn by the sample weights, within each task, so that a row of weight 0 enters nowhere. Numbers and
    probabilities are averaged; class labels and the targets of hinges are not, there the losses of both targets are
    averaged instead, which is the same for cross-entropy. alpha 0 mixes nothing. Raises TypeError for a loss over the
    whole sample such as `Cox`, or for inputs that are integers.

    >>> import jax, jax.numpy as jnp, jaxreg as jr
    >>> risk = jr.risk(jr.linear, jr.Squared())
    >>> data = (jnp.array([[1.0], [2.0]]), jnp.array([1.0, 2.0]))
    >>> bool(jnp.allclose(jr.stochastic.mixup(risk, 0.4)(jnp.ones(1), data, key=jax.random.key(0)), 0.0))
    True
    """
    check_risk("mixup", risk)
    check_number("mixup", "alpha", alpha, 0.0, np.inf)
    made = Mixup(risk, alpha)
    if not made.base.loss.rowwise:
        raise TypeError(f"mixup: {made.base.loss!r} compares rows with each other; mixed rows have no meaning in it.")
    return made


def _partners(key: Array, rows: Array) -> Array:
    """For every row the number of a row of the same sample, drawn by weight."""
    if rows.ndim > 1:
        return jax.vmap(_partners)(jax.random.split(key, rows.shape[0]), rows)
    steps = jnp.cumsum(rows)
    drawn = jnp.searchsorted(steps, jax.random.uniform(key, rows.shape, rows.dtype) * steps[-1], side="right")
    last = rows.shape[0] - 1 - jnp.argmax(rows[::-1] > 0)
    return jnp.minimum(drawn, last)


def _take(x: Array, rows: Array, axes: int) -> Array:
    return x[rows] if axes == 1 else jax.vmap(lambda a, r: _take(a, r, axes - 1))(x, rows)


def _mix(share: Array, x: Array, y: Array) -> Array:
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise TypeError(f"mixup: an input has dtype {x.dtype}; only numbers can be averaged.")
    share = jnp.broadcast_to(jnp.reshape(share, share.shape + (1,) * (x.ndim - share.ndim)), x.shape).astype(x.dtype)
    return share * x + (1 - share) * y
