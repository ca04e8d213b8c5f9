"""The diagonal metric of an optax preconditioner, read from the same step's state."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxreg._typing import Array, PyTree


class Gain(NamedTuple):
    """The state of the preconditioner fed with the constant 1, and its answer: what it makes of a steady gradient."""

    state: Any
    value: Array


def start_gain(link: optax.GradientTransformation) -> Gain:
    """The shadow of a linear preconditioner before the first step."""
    return Gain(link.init(jnp.ones(())), jnp.ones(()))


def metric_of(
    link: optax.GradientTransformation,
    direction: PyTree,
    updates: PyTree,
    old: Any,
    new: Any,
    gain: Gain,
) -> tuple[PyTree, Gain]:
    """Inverse metric H⁻¹, one positive number per entry (one for all of a linear link), and the new gain.

    Adam: the derivative of the direction in the first moment, free of rounding and of the constants' values. A linear
    link such as momentum: its answer to a constant gradient. Raises TypeError for other preconditioners.
    """
    if isinstance(old, optax.ScaleByAdamState):
        return _adam(link, updates, old, new), gain
    if isinstance(old, (optax.TraceState, optax.EmptyState)):
        answer, state = link.update(jnp.ones(()), gain.state)
        return jax.tree.map(lambda d: answer.astype(d.dtype), direction), Gain(state, answer)
    raise TypeError(
        f"jaxreg.proximal does not know the metric of {type(old).__name__}. Known: optax.scale_by_adam(), "
        "optax.trace(decay), optax.identity()."
    )


def _adam(link: optax.GradientTransformation, updates: PyTree, old: Any, new: Any) -> PyTree:
    def answer(mu: PyTree) -> tuple[PyTree, PyTree]:
        out, state = link.update(updates, old._replace(mu=mu))
        return out, state.mu

    ones = jax.tree.map(jnp.ones_like, old.mu)
    _, (slope, decay) = jax.jvp(answer, (old.mu,), (ones,))

    def inverse(s: Array, b: Array) -> Array:
        corrected = 1 - b.astype(s.dtype) ** new.count.astype(s.dtype)
        return s / jnp.where(b > 0, b.astype(s.dtype), 1.0) * corrected

    return jax.tree.map(inverse, slope, decay)
