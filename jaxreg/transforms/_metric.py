"""The diagonal metric of an optax preconditioner, read from the same step's state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxreg._typing import Array, PyTree

_SECOND = {optax.ScaleByAdamState: "nu", optax.ScaleByRmsState: "nu", optax.ScaleByRssState: "sum_of_squares"}
_ADAPTIVE = tuple(_SECOND)
_LINEAR = (optax.TraceState, optax.EmptyState)
_SMALL = 2.0**-50  # its square changes no second moment, and neither underflows in float32


class Gain(NamedTuple):
    """The state of the preconditioner fed with one constant 1 a leaf, and its answer to this steady gradient."""

    state: Any
    value: PyTree


def start_gain(link: optax.GradientTransformation, params: PyTree) -> Gain:
    """The shadow of a linear preconditioner before the first step."""
    ones = _scalars(1.0, params)
    return Gain(link.init(ones), ones)


def metric_of(
    link: optax.GradientTransformationExtraArgs, direction: PyTree, old: Any, new: Any, gain: Gain
) -> tuple[PyTree, Gain]:
    """Inverse metric H⁻¹, one positive number per entry (one a leaf of a linear link), and the new gain.

    It is the answer to a steady gradient of 1 with the second moment held at that of this step: what the link divides
    by, whatever its constants, bias correction and Nesterov's look-ahead included. Decay added in a chain depends on
    the parameters, not the gradient, and does not count. Raises TypeError for other preconditioners.
    """
    stages = jax.tree.leaves(old, is_leaf=_is_stage)
    odd = [s for s in stages if not isinstance(s, optax.EmptyState)]
    if len(odd) == 1 and isinstance(odd[0], _ADAPTIVE):
        return _adaptive(link, odd[0], old, new), gain
    if len(odd) <= 1 and all(isinstance(s, _LINEAR) for s in stages):
        answer, state = link.update(_scalars(1.0, direction), gain.state, _scalars(0.0, direction))
        return answer, Gain(state, answer)
    raise TypeError(
        f"jaxreg.proximal does not know the metric of {', '.join(type(s).__name__ for s in odd)}. Known: "
        "optax.scale_by_adam(), optax.scale_by_rms(), optax.scale_by_rss(), optax.trace(decay), optax.identity(), each "
        "alone or in a chain with optax.add_decayed_weights(decay)."
    )


def _is_stage(state: Any) -> bool:
    """Whether a state is one link's own: chains and masks are looked into."""
    return isinstance(state, tuple) and type(state) not in (tuple, optax.MaskedState)


def _adaptive(link: optax.GradientTransformationExtraArgs, core: Any, old: Any, new: Any) -> PyTree:
    name = _SECOND[type(core)]
    after = next(s for s in jax.tree.leaves(new, is_leaf=_is_stage) if isinstance(s, _ADAPTIVE))
    second = getattr(after, name)
    zeros, ones = _scalars(0.0, second), _scalars(1.0, second)

    def answer(gradient: PyTree, change: Callable[[Any], Any]) -> tuple[PyTree, Any]:
        state = jax.tree.map(lambda s: change(s) if isinstance(s, _ADAPTIVE) else s, old, is_leaf=_is_stage)
        out, moved = link.update(gradient, state, zeros)
        return out, next(s for s in jax.tree.leaves(moved, is_leaf=_is_stage) if isinstance(s, _ADAPTIVE))

    adam = isinstance(core, optax.ScaleByAdamState)
    first = {"mu": ones} if adam else {}
    _, kept = answer(zeros, lambda s: s._replace(**{name: ones}, **first))
    before = {name: jax.tree.map(lambda n, k: _wide(n) / k, second, getattr(kept, name))}
    if adam:
        before["mu"] = jax.tree.map(lambda k: _SMALL * (1 - k ** core.count.astype(k.dtype)), kept.mu)
    return jax.tree.map(lambda d: d / _SMALL, answer(_scalars(_SMALL, second), lambda s: s._replace(**before))[0])


def _scalars(value: float, tree: PyTree) -> PyTree:
    """One number a leaf."""
    return jax.tree.map(lambda _: jnp.asarray(value, jnp.result_type(float)), tree)


def _wide(x: Array) -> Array:
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))
