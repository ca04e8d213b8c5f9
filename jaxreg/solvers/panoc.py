"""Proximal quasi-Newton: L-BFGS steps on the forward-backward envelope, for any smooth risk and any prox."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from jaxreg import _tree
from jaxreg._pytree import pytree, static
from jaxreg._typing import Array, PyTree
from jaxreg.penalties import Penalty
from jaxreg.solvers._descent import first_step, upper_bound
from jaxreg.solvers._lbfgs import Memory, direction, forget, remember
from jaxreg.solvers._problem import Smooth

_SHARE, _DECREASE, _TRIALS = 0.95, 1e-3, 5


@pytree
class PANOCState:
    """The prox step of the accepted point, that point, its residual and envelope, the quasi-Newton direction.

    `fraction` is the share of the direction in the next trial, 0 for the plain prox step.
    """

    params: Any
    point: Any
    residual: Array
    envelope: Array
    direction: Array
    fraction: Array
    memory: Memory
    step: Array


@pytree
class PANOC:
    """PANOC (Stella, Themelis, Sopasakis and Patrinos 2017): proximal gradient steps x̄ blended with L-BFGS steps x + d.

    The trial (1 - τ) x̄ + τ (x + d) is accepted where the forward-backward envelope falls enough. One trial per update:
    a refused one comes again with τ/2, at last as the plain prox step, so that lanes of a vmap never wait for a line
    search. Neither f nor g need be convex. `memory` pairs are kept.

    >>> import jax.numpy as jnp, numpy as np, jaxreg as jr
    >>> data = (jnp.eye(2), jnp.array([3.0, 0.5]))
    >>> sol = jr.minimize(jr.risk(jr.linear, jr.Squared()), 0.5 * jr.L1(), jnp.zeros(2), data, solver=jr.PANOC())
    >>> np.asarray(sol.params).round(3).tolist()
    [2.0, 0.0]
    """

    memory: int = static(default=10)
    stride: int = static(default=5)
    patience: int = static(default=100)

    def init(self, f: Smooth, g: Penalty, params: PyTree) -> PANOCState:
        """Nothing is known at `params` yet: the first update accepts it."""
        flat = ravel_pytree(params)[0]
        step, one = _SHARE * first_step(f, params).astype(flat.dtype), jnp.ones((), flat.dtype)
        zero = jnp.zeros_like(flat)
        return PANOCState(params, params, zero, jnp.inf * one, zero, one, forget(self.memory, flat), step)

    def update(self, f: Smooth, g: Penalty, state: PANOCState) -> PANOCState:
        """One gradient and one prox at the trial point; accept it, or shorten the next trial, or the step."""
        unravel, t = ravel_pytree(state.point)[1], state.step
        ahead = _tree.add_scale(state.point, 1.0, unravel(state.direction))
        trial = _tree.add_scale(state.params, state.fraction, _tree.sub(ahead, state.params))
        at = f.value_and_grad(trial)
        new = g.prox(_tree.add_scale(trial, -t, at[1]), t)
        moved = _tree.sub(new, trial)
        square = _tree.norm2(moved)
        _, fits, slack = upper_bound(f, trial, at, new, t / _SHARE)
        envelope = at[0] + _tree.vdot(at[1], moved) + square / (2 * t) + g.value(new)
        enough = state.envelope - _DECREASE * t * jnp.sum(jnp.square(state.residual))
        accept = (envelope <= enough + slack) | (state.fraction == 0)
        residual = ravel_pytree(moved)[0] / -t
        move = ravel_pytree(_tree.sub(trial, state.point))[0]
        fresh = jnp.isinf(state.envelope)
        misled = state.fraction == 0  # every share of the direction was refused
        memory = _tree.where(misled, forget(self.memory, residual), state.memory)
        memory = remember(memory, move, residual - state.residual)
        one = jnp.ones((), t.dtype)
        taken = PANOCState(new, trial, residual, envelope, direction(memory, residual, t), one, memory, t)
        shorter = jnp.where(state.fraction > 0.5**_TRIALS, 0.5 * state.fraction, 0.0)
        refused = replace(state, fraction=shorter)
        restart = self._restarted(state, t)
        return _tree.where(accept | fresh, _tree.where(fits, taken, restart), refused)

    def _restarted(self, state: PANOCState, t: Array) -> PANOCState:
        """At the accepted point with half the step: nothing that was measured with the old one holds."""
        zero = jnp.zeros_like(state.residual)
        return PANOCState(
            state.point,
            state.point,
            zero,
            jnp.full_like(t, jnp.inf),
            zero,
            jnp.ones_like(t),
            forget(self.memory, zero),
            0.5 * t,
        )
