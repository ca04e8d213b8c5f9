"""Accelerated and dual-averaged proximal steps as optax transformations: they own the step, nothing may follow."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxreg import _tree
from jaxreg._typing import Array, ArrayLike, PyTree
from jaxreg.penalties import Penalty
from jaxreg.transforms.proximal import Last


class AcceleratedState(NamedTuple):
    """Nesterov's t, and the iterate with the exact zeros; the parameters are the point extrapolated from it."""

    t: Array
    point: PyTree


class AveragingState(NamedTuple):
    """Updates taken, the start, the weighted sum of gradients and the sum of weights."""

    taken: Array
    start: PyTree
    total: PyTree
    weight: Array


def accelerated(penalty: Penalty, learning_rate: ArrayLike) -> optax.GradientTransformationExtraArgs:
    """FISTA on full-batch gradients: x⁺ = prox(y - η∇(y), η), y⁺ = x⁺ + (t - 1)/t⁺ (x⁺ - x) (Beck and Teboulle 2009).

    The parameters are y, where gradients are wanted; evaluate and store x, `state.point`. η is at most one over the
    Lipschitz constant of the gradient. Momentum restarts where it points uphill (O'Donoghue and Candès 2015). Raises
    ValueError without params.

    >>> import jax.numpy as jnp, optax, jaxreg as jr
    >>> tx = jr.accelerated(jr.L1(), 1.0)
    >>> y = jnp.array([3.0, 0.5])
    >>> u, state = tx.update(jnp.zeros(2), tx.init(y), y)
    >>> state.point.tolist()
    [2.0, 0.0]
    """
    penalty.check()

    def init(params: PyTree) -> AcceleratedState:
        return AcceleratedState(jnp.ones(()), params)

    def update(
        updates: PyTree, state: AcceleratedState, params: PyTree | None = None, **extra: Any
    ) -> tuple[PyTree, AcceleratedState]:
        _need("accelerated", params)
        x = penalty.prox(_add_scale(params, -learning_rate, updates), learning_rate)
        moved = _tree.sub(x, state.point)
        uphill = _tree.vdot(_tree.sub(params, x), moved) > 0
        t = jnp.where(uphill, 1.0, state.t)
        grown = (1 + jnp.sqrt(1 + 4 * t * t)) / 2
        y = _add_scale(x, jnp.where(uphill, 0.0, (t - 1) / grown), moved)
        return _tree.sub(y, params), AcceleratedState(grown, x)

    return Last(init, update)


def dual_averaging(
    penalty: Penalty,
    learning_rate: ArrayLike | optax.Schedule,
    *,
    momentum: ArrayLike | optax.Schedule = 1.0,
    growing: bool = False,
) -> optax.GradientTransformationExtraArgs:
    """Regularised dual averaging: the prox sees the mean of all gradients, so zeros stay zeros under their noise.

    w̃ = argmin_w <Σ sᵢgᵢ, w> + (Σ sᵢ) g(w) + √t/2 ‖w - w₀‖² with sᵢ = η (RDA, Xiao 2010, Algorithm 1), or
    sᵢ = η√i if `growing` (RMDA, Huang and Lee 2022), then w⁺ = (1 - c) w + c w̃ with c = `momentum`, which must reach
    1 for exact zeros. w₀ is the parameters given to `init`. Raises ValueError without params.

    >>> import jax.numpy as jnp, optax, jaxreg as jr
    >>> tx = jr.dual_averaging(0.5 * jr.L1(), 1.0)
    >>> w = jnp.zeros(2)
    >>> u, state = tx.update(jnp.array([-2.0, 0.4]), tx.init(w), w)
    >>> optax.apply_updates(w, u).tolist()
    [1.5, 0.0]
    """
    penalty.check()

    def init(params: PyTree) -> AveragingState:
        return AveragingState(jnp.zeros((), jnp.int32), params, _tree.zeros_like(params), jnp.zeros(()))

    def update(
        updates: PyTree, state: AveragingState, params: PyTree | None = None, **extra: Any
    ) -> tuple[PyTree, AveragingState]:
        _need("dual_averaging", params)
        taken = optax.safe_increment(state.taken)
        root = jnp.sqrt(taken.astype(state.weight.dtype))
        s = _at(learning_rate, state.taken) * (root if growing else 1.0)
        total, weight = _add_scale(state.total, s, updates), state.weight + s
        goal = penalty.prox(_add_scale(state.start, -1 / root, total), weight / root)
        c = _at(momentum, state.taken)
        new = jax.tree.map(lambda p, z: jnp.where(c == 1, z, p + jnp.asarray(c, p.dtype) * (z - p)), params, goal)
        return _tree.sub(new, params), AveragingState(taken, state.start, total, weight)

    return Last(init, update)


def _at(value: ArrayLike | optax.Schedule, count: Array) -> Any:
    return value(count) if callable(value) else value


def _add_scale(x: PyTree, scale: Any, y: PyTree) -> PyTree:
    """x + scale * y in the dtype of x."""
    return jax.tree.map(lambda a, b: a + jnp.asarray(scale, a.dtype) * b.astype(a.dtype), x, y)


def _need(where: str, params: PyTree | None) -> None:
    if params is None:
        raise ValueError(f"jaxreg.{where} needs the parameters: call tx.update(updates, state, params).")
