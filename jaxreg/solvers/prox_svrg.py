"""Variance-reduced proximal stochastic gradient: many cheap steps on few rows between full gradients."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxreg import _tree
from jaxreg._pytree import pytree, static
from jaxreg._typing import Array, PyTree
from jaxreg.penalties import Penalty
from jaxreg.solvers._descent import first_step
from jaxreg.solvers._problem import Smooth


@pytree
class ProxSVRGState:
    """Iterate, random key and step."""

    params: Any
    key: Array
    step: Array


@pytree
class ProxSVRG:
    """Prox-SVRG (Xiao and Zhang 2014): steps along ∇f_B(x) - ∇f_B(x̃) + ∇f(x̃), B a few random rows, x̃ the last anchor.

    One update is an epoch: the full gradient at x̃, then as many inner steps as `passes` over the rows take with `batch`
    rows each. Rows are drawn by their weight, within each task, so that held-out rows never are. `key` is explicit: the
    same key gives the same fit. `step` defaults to a third of one over the expected curvature of a batch; it must be
    given where the loss states no curvature or the model is not linear.

    >>> import jax, jax.numpy as jnp, numpy as np, jaxreg as jr
    >>> data = (jnp.eye(2), jnp.array([3.0, 0.5]))
    >>> solver = jr.ProxSVRG(jax.random.key(0), batch=1)
    >>> sol = jr.minimize(jr.risk(jr.linear, jr.Squared()), 0.5 * jr.L1(), jnp.zeros(2), data, solver=solver)
    >>> np.asarray(sol.params).round(1).tolist()
    [2.0, 0.0]
    """

    key: Any
    step: Any = None
    batch: int = static(default=16)
    passes: int = static(default=2)
    stride: int = static(default=1)
    patience: int = static(default=100)

    def init(self, f: Smooth, g: Penalty, params: PyTree) -> ProxSVRGState:
        """Start from `params`. Raises TypeError where no step is given or known, or rows interact."""
        dtype = _tree.dtype(params)
        if not f.risk.loss.rowwise:
            raise TypeError(f"ProxSVRG(key) draws single rows, but rows interact in {f.risk.loss!r}: use FISTA().")
        if self.step is None and not f.is_bounded:
            raise TypeError("ProxSVRG(key) needs a step here: the curvature of single rows is not known.")
        step = _row_step(f, params, self.batch) if self.step is None else jnp.asarray(self.step)
        return ProxSVRGState(params, self.key, step.astype(dtype))

    def update(self, f: Smooth, g: Penalty, state: ProxSVRGState) -> ProxSVRGState:
        """One epoch."""
        anchor, t = state.params, state.step
        full = jax.grad(f)(anchor)
        key, now = jax.random.split(state.key)
        count = max(1, self.passes * f.rows.shape[-1] // self.batch)
        keys = jax.random.split(now, count)

        def inner(k: int, x: PyTree) -> PyTree:
            few = _sampled(f, keys[k], self.batch)
            change = _tree.sub(jax.grad(few)(x), jax.grad(few)(anchor))
            return g.prox(_tree.add_scale(x, -t, _tree.add_scale(change, 1.0, full)), t)

        return ProxSVRGState(jax.lax.fori_loop(0, count, inner, anchor), key, t)


def _sampled(f: Smooth, key: Array, batch: int) -> Smooth:
    """f on `batch` rows drawn with probability proportional to their weight: an unbiased estimate of f."""
    X, y = f.data
    totals = jnp.cumsum(f.rows, axis=-1)
    top = totals[..., -1:]
    draws = jax.random.uniform(key, (*f.rows.shape[:-1], batch), f.rows.dtype) * top
    find = lambda edges, v: jnp.searchsorted(edges, v, side="right")  # noqa: E731
    take = lambda a, i: jnp.take(a, i, axis=0, mode="clip")  # noqa: E731
    if f.is_multitask:
        find, take = jax.vmap(find), jax.vmap(take)
    index = find(totals, draws)
    data = (jax.tree.map(lambda a: take(a, index), X), take(y, index))
    return Smooth(f.risk, data, jnp.broadcast_to(top / batch, index.shape), jnp.zeros_like(f.constant))


def _row_step(f: Smooth, params: PyTree, batch: int) -> Array:
    """1/(3L) with L = (1 - 1/b) L(f) + L(row)/b, the expected smoothness of a batch of b rows (Gower et al. 2019)."""
    ones = float(isinstance(params, dict))  # an intercept is a column of ones
    squares = jnp.sum(jnp.square(f.data[0]), axis=-1) + ones
    rows = jnp.where(f.rows > 0, squares, 0.0) * jnp.sum(f.rows, axis=-1, keepdims=True)
    top = f.risk.loss.curvature * jnp.max(rows)
    return 1 / (3 * ((1 - 1 / batch) / first_step(f, params) + jnp.where(top > 0, top, 1.0) / batch))
