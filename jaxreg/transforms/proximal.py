"""The proximal step as the last optax link: exact zeros, in the preconditioner's own metric."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxreg import _tree
from jaxreg._typing import Array, ArrayLike, PyTree
from jaxreg.penalties import Penalty
from jaxreg.transforms._metric import Gain, metric_of, start_gain


class ProximalState(NamedTuple):
    """Step number, the preconditioner's state, and the gain of a linear one."""

    taken: Array
    inner: Any
    gain: Gain


def proximal(
    penalty: Penalty,
    learning_rate: ArrayLike | optax.Schedule,
    preconditioner: optax.GradientTransformation | None = None,
) -> optax.GradientTransformationExtraArgs:
    """Proximal step as the last link of an optax chain; its updates lead to exact zeros.

    Without a preconditioner the link takes finished updates u (as of `optax.sgd(learning_rate)`) and returns
    prox(p + u, learning_rate) - p. With one (`optax.scale_by_adam()`, `optax.trace(decay)`) it takes gradients and
    returns argmin_z η g(z) + ½‖z - (p - η d)‖²_H - p, where d = H⁻¹m is the preconditioner's direction and H its
    metric from the same step's state: the fixed points are those of risk + penalty. Momentum belongs in here:
    heavy-ball before a plain prox divides the strength by 1/(1 - decay).

    Nothing may follow the link: any later scaling, averaging or decay un-zeroes parameters. `params` must be given to
    `update`. Raises ValueError without params, TypeError for a preconditioner whose metric is unknown or a penalty
    with no exact prox in it.

    >>> import jax.numpy as jnp, optax, jaxreg as jr
    >>> tx = optax.chain(optax.sgd(0.5), jr.proximal(jr.L1(), 0.5))
    >>> p = jnp.array([2.0, 0.1])
    >>> u, state = tx.update(jnp.zeros(2), tx.init(p), p)
    >>> optax.apply_updates(p, u).tolist()
    [1.5, 0.0]
    """
    penalty.check()
    link = preconditioner if preconditioner is not None else optax.identity()

    def init(params: PyTree) -> ProximalState:
        return ProximalState(jnp.zeros((), jnp.int32), link.init(params), start_gain(link))

    def update(
        updates: PyTree, state: ProximalState, params: PyTree | None = None, **extra: Any
    ) -> tuple[PyTree, ProximalState]:
        if params is None:
            raise ValueError("jaxreg.proximal needs the parameters: call tx.update(updates, state, params).")
        rate = learning_rate(state.taken) if callable(learning_rate) else learning_rate
        if preconditioner is None:
            target, steps, inner, gain = _add(params, updates), rate, state.inner, state.gain
        else:
            inner_link = optax.with_extra_args_support(link)
            direction, inner = inner_link.update(updates, state.inner, params, **extra)
            inverse, gain = metric_of(link, direction, updates, state.inner, inner, state.gain)
            target = jax.tree.map(lambda p, d: p - jnp.asarray(rate, p.dtype) * d.astype(p.dtype), params, direction)
            steps = jax.tree.map(lambda h: rate * h, inverse)
        new = penalty.prox(target, _steps(steps, params))
        return _tree.sub(new, params), ProximalState(optax.safe_increment(state.taken), inner, gain)

    return optax.GradientTransformationExtraArgs(init, update)


def _add(params: PyTree, updates: PyTree) -> PyTree:
    """p + u in the parameters' dtype: a lower-precision update would lose the zeros."""
    return jax.tree.map(lambda p, u: p + u.astype(p.dtype), params, updates)


def _steps(steps: Any, params: PyTree) -> Any:
    if bool(jax.tree.structure(steps) == jax.tree.structure(params)):  # type: ignore[operator]
        return jax.tree.map(lambda s, p: jnp.asarray(s, p.dtype), steps, params)
    return steps
