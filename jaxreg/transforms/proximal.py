"""The proximal step as the last optax link: exact zeros, in the preconditioner's own metric."""

from __future__ import annotations

from collections.abc import Callable
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


class Last(optax.GradientTransformationExtraArgs):
    """A transformation whose updates lead to exact zeros: nothing may follow it."""

    __slots__ = ()


class ProximalStep(NamedTuple):
    """`init(params) -> state` and `apply(updates, state, params, **extra) -> (new params, state)`."""

    init: Callable[[PyTree], ProximalState]
    apply: Callable[..., tuple[PyTree, ProximalState]]


def proximal(
    penalty: Penalty,
    learning_rate: ArrayLike | optax.Schedule,
    preconditioner: optax.GradientTransformation | None = None,
    *,
    prox_every: int = 1,
) -> optax.GradientTransformationExtraArgs:
    """Proximal step as the last link of an optax chain; its updates lead to exact zeros.

    Without a preconditioner the link takes finished updates u (as of `optax.sgd(learning_rate)`) and returns
    prox(p + u, learning_rate) - p. With one (`optax.scale_by_adam()`, `scale_by_rms()`, `scale_by_rss()`,
    `optax.trace(decay)`) it takes gradients and returns argmin_z η g(z) + ½‖z - (p - η d)‖²_H - p, where d = H⁻¹m is
    the preconditioner's direction and H its metric from the same step's state: the fixed points are those of risk +
    penalty. Momentum belongs in here: heavy-ball before a plain prox divides the strength by 1/(1 - decay).

    AdamW is `optax.chain(optax.scale_by_adam(), optax.add_decayed_weights(c))` as preconditioner. Its fixed points
    are those of risk + penalty + c/2 ‖p‖²_H, a ridge in Adam's metric; `+ c * Ridge()` in the penalty is a plain one.
    A schedule is read at the step's own count.

    With `prox_every=k` the prox is taken with k-fold step at every k-th update only; the steps between are smooth.
    The cycle's fixed point has -mean(∇risk over its k points) in ∂g(p): a minimum as the learning rate goes to zero,
    within O(k η) of one else. Zeros are exact right after a prox.

    Nothing may follow the link: any later scaling, averaging or decay un-zeroes parameters; `jaxreg.chain` refuses it.
    `params` must be given to `update`. Raises ValueError without params or for prox_every < 1, TypeError for a
    preconditioner whose metric is unknown or a penalty with no exact prox in it.

    >>> import jax.numpy as jnp, optax, jaxreg as jr
    >>> tx = optax.chain(optax.sgd(0.5), jr.proximal(jr.L1(), 0.5))
    >>> p = jnp.array([2.0, 0.1])
    >>> u, state = tx.update(jnp.zeros(2), tx.init(p), p)
    >>> optax.apply_updates(p, u).tolist()
    [1.5, 0.0]
    """
    step = proximal_step(penalty, learning_rate, preconditioner, prox_every=prox_every)

    def update(
        updates: PyTree, state: ProximalState, params: PyTree | None = None, **extra: Any
    ) -> tuple[PyTree, ProximalState]:
        new, state = step.apply(updates, state, params, **extra)
        return _tree.sub(new, params), state

    return Last(step.init, update)


def proximal_step(
    penalty: Penalty,
    learning_rate: ArrayLike | optax.Schedule,
    preconditioner: optax.GradientTransformation | None = None,
    *,
    prox_every: int = 1,
) -> ProximalStep:
    """The step of `proximal` as two functions, `init(params)` and `apply(updates, state, params)`.

    `apply` returns the new parameters themselves, each leaf in its own dtype and rounded once from float32 or better:
    p + (new - p) of the update form rounds twice in half precision. Arguments and errors are those of `proximal`.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> step = jr.proximal_step(jr.L1(), 0.5)
    >>> p = jnp.array([2.0, 0.1], "bfloat16")
    >>> step.apply(jnp.zeros(2), step.init(p), p)[0].tolist()
    [1.5, 0.0]
    """
    penalty.check()
    if prox_every < 1:
        raise ValueError(f"jaxreg.proximal: prox_every is {prox_every!r}, expected a number of updates >= 1.")
    link = optax.with_extra_args_support(preconditioner if preconditioner is not None else optax.identity())

    def init(params: PyTree) -> ProximalState:
        return ProximalState(jnp.zeros((), jnp.int32), link.init(params), start_gain(link, params))

    def apply(
        updates: PyTree, state: ProximalState, params: PyTree | None = None, **extra: Any
    ) -> tuple[PyTree, ProximalState]:
        if params is None:
            raise ValueError("jaxreg.proximal needs the parameters: call tx.update(updates, state, params).")
        rate = learning_rate(state.taken) if callable(learning_rate) else learning_rate
        if preconditioner is None:
            target, steps, inner, gain = _moved(params, 1, updates), rate * prox_every, state.inner, state.gain
        else:
            direction, inner = link.update(updates, state.inner, params, **extra)
            inverse, gain = metric_of(link, direction, state.inner, inner, state.gain)
            target = _moved(params, -rate, direction)
            steps = jax.tree.map(lambda h, p: jnp.asarray(rate * prox_every * h, p.dtype), inverse, target)
        new = _every(prox_every, state.taken, lambda z: penalty.prox(z, steps), target)
        new = jax.tree.map(lambda z, p: z.astype(p.dtype), new, params)
        return new, ProximalState(optax.safe_increment(state.taken), inner, gain)

    return ProximalStep(init, apply)


def chain(*links: optax.GradientTransformation) -> optax.GradientTransformationExtraArgs:
    """`optax.chain` that refuses a link after `proximal`: it would move parameters off their exact zeros.

    Chains made by it are looked into; those of `optax.chain`, and wrappers such as `optax.MultiSteps`, are opaque.
    Raises ValueError, naming the place, where a link follows.

    >>> import optax, jaxreg as jr
    >>> jr.chain(jr.proximal(jr.L1(), 0.1), optax.scale(0.5))
    Traceback (most recent call last):
    ValueError: jaxreg.chain: link 0 is a proximal step and 1 link follows: ...
    """
    for place, link in enumerate(links[:-1]):
        if isinstance(link, Last):
            after = len(links) - 1 - place
            raise ValueError(
                f"jaxreg.chain: link {place} is a proximal step and {after} link{'s' * (after > 1)} "
                f"follow{'s' * (after == 1)}: parameters would leave their exact zeros. Put it last; an optimiser "
                "belongs inside as its preconditioner."
            )
    made = optax.chain(*links)
    last = bool(links) and isinstance(links[-1], Last)
    return Last(*made) if last else optax.with_extra_args_support(made)


def _moved(params: PyTree, scale: Any, updates: PyTree) -> PyTree:
    """p + scale * u in the parameters' dtype, at least float32: a lower-precision update would lose the zeros."""

    def one(p: Array, u: Array) -> Array:
        wide = jnp.promote_types(p.dtype, jnp.float32)
        return p.astype(wide) + jnp.asarray(scale, wide) * u.astype(wide)

    return jax.tree.map(one, params, updates)


def _every(k: int, taken: Array, prox: Callable[[PyTree], PyTree], target: PyTree) -> PyTree:
    return prox(target) if k == 1 else jax.lax.cond((taken + 1) % k == 0, prox, lambda z: z, target)
