"""The proximal step whose strengths are part of the optimiser's state and learn during training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxreg import _tree
from jaxreg._typing import Array, ArrayLike, PyTree
from jaxreg.penalties import Penalty
from jaxreg.penalties._strengths import STRENGTHS, strengths_of, with_strengths
from jaxreg.transforms._descent import adam
from jaxreg.transforms.proximal import Last, ProximalState, proximal_step

Rule = Callable[[dict[str, Array], PyTree], dict[str, Array]]


class AdaptiveState(NamedTuple):
    """The strengths by the names of their leaves, the proximal step's state, and that of the strengths' optimiser.

    The last is None where a rule moves them.
    """

    strengths: dict[str, Array]
    inner: ProximalState
    outer: Any


def adaptive_proximal(
    penalty: Penalty,
    learning_rate: ArrayLike | optax.Schedule,
    preconditioner: optax.GradientTransformation | None = None,
    *,
    only: str = STRENGTHS,
    optimizer: optax.GradientTransformation | None = None,
    rule: Rule | None = None,
) -> optax.GradientTransformationExtraArgs:
    """`proximal` with strengths that move while the parameters do: the last link of an optax chain, zeros exact.

    `update(..., validation=loss)` takes the loss of held-out rows, a function of the parameters. The strengths s then
    go along -∂/∂(log s) loss(p⁺(s)), the derivative through this one proximal step p⁺ (as Luketina et al. 2016 do for
    smooth penalties; the lookahead is also that of Auto-Lambda), by `optimizer`, adam(0.01) by default. The step of the
    parameters itself is that of the strengths before. Without `validation` strengths rest. Or `rule(strengths, params)`
    gives the next strengths from the new parameters, such as s/(|p| + ε) of the adaptive lasso. Only leaves of the
    penalty that match the glob `only` move; they start at the penalty's own numbers and are read from
    `state.strengths`. What is zero before and after a step says nothing about its strength.

    Raises ValueError for both a rule and an optimiser or without params, and what `proximal` raises.

    >>> import jax.numpy as jnp, optax, jaxreg as jr
    >>> tx = jr.adaptive_proximal(0.1 * jr.L1(), 0.5, optax.identity(), optimizer=optax.sgd(1.0))
    >>> p = jnp.array([2.0, 0.01])
    >>> u, state = tx.update(jnp.zeros(2), tx.init(p), p, validation=lambda p: p.sum())
    >>> optax.apply_updates(p, u).tolist(), float(state.strengths["strength"]) > 0.1
    ([1.9..., 0.0], True)
    """
    where = "adaptive_proximal"
    first = strengths_of(where, penalty, only)
    if rule is not None and optimizer is not None:
        raise ValueError(f"{where}: give a rule, or an optimizer for the derivative of a validation loss, not both.")
    outer = optimizer if optimizer is not None else adam(0.01)
    step = proximal_step(penalty, learning_rate, preconditioner)

    def init(params: PyTree) -> AdaptiveState:
        return AdaptiveState(first, step.init(params), outer.init(first) if rule is None else None)

    def update(
        updates: PyTree,
        state: AdaptiveState,
        params: PyTree | None = None,
        *,
        validation: Callable[[PyTree], Array] | None = None,
        **extra: Any,
    ) -> tuple[PyTree, AdaptiveState]:
        def moved(logs: dict[str, Array]) -> tuple[PyTree, ProximalState]:
            made = with_strengths(penalty, jax.tree.map(jnp.exp, logs))
            return proximal_step(made, learning_rate, preconditioner).apply(updates, state.inner, params, **extra)

        logs = jax.tree.map(jnp.log, state.strengths)
        if validation is None or rule is not None:
            new, inner = moved(logs)
            strengths, memory = state.strengths, state.outer
            if rule is not None:
                strengths = _ruled(where, strengths, rule(strengths, new))
        else:
            new, pull, inner = jax.vjp(moved, logs, has_aux=True)
            slope = pull(jax.grad(validation)(new))[0]
            change, memory = outer.update(slope, state.outer, logs)
            strengths = jax.tree.map(jnp.exp, _tree.add_scale(logs, 1, change))
            fine = _tree.all_finite(strengths)
            strengths, memory = _tree.where(fine, (strengths, memory), (state.strengths, state.outer))
        return _tree.sub(new, params), AdaptiveState(strengths, inner, memory)

    return Last(init, update)


def rests(state: Any) -> bool:
    """Whether a state holds strengths that nothing but a validation loss moves."""
    parts = jax.tree.leaves(state, is_leaf=lambda x: isinstance(x, AdaptiveState))
    return any(isinstance(part, AdaptiveState) and part.outer is not None for part in parts)


def _ruled(where: str, old: dict[str, Array], new: Any) -> dict[str, Array]:
    """What a rule gave, in the form of the strengths. Raises ValueError for another form."""
    shapes = {name: jnp.shape(x) for name, x in old.items()}
    given = {name: jnp.shape(x) for name, x in new.items()} if isinstance(new, dict) else type(new).__name__
    if given != shapes:
        raise ValueError(f"{where}: the rule gave {given}, expected the strengths' names and shapes {shapes}.")
    return {name: jnp.asarray(new[name], x.dtype) for name, x in old.items()}
