"""Where a generalised linear model's coefficients all leave zero: the gradient at the best constant prediction."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg import _tree, _validate
from jaxreg._linalg import matmul
from jaxreg._typing import Array, PyTree
from jaxreg.paths._design import Dense, Design
from jaxreg.penalties import Leafwise, Penalty
from jaxreg.solvers._problem import Smooth
from jaxreg.solvers._reduce import centres, coefficient_part, coefficients

_STEPS, _HALVINGS = 50, 30


def null_top(f: Smooth, penalty: Penalty, init: PyTree, design: Design | None = None) -> float | None:
    """The strength from which all coefficients are zero; None where more than one intercept is fitted beside them.

    `design` stands for the features where f has none.
    """
    loss, outputs = f.risk.loss, f.data[1].ndim == 2
    if f.is_multitask or (outputs and not loss.quadratic) or _validate.traced(f, penalty, init):
        return None
    found = coefficient_part(f, penalty, init)
    if found is None or not (found[0].gauge and loss.smooth and loss.separable and loss.dual):
        return None
    part, intercept = found
    pulled = (Dense(f.data[0]) if design is None else design).pull(_slopes(f, intercept).T)
    top, least = (float(x) for x in _excluded(part, pulled.T))
    return top if least > 0 and np.isfinite(top) else None


def squared_null_top(f: Smooth, penalty: Penalty, init: PyTree) -> float | None:
    """The same for squared loss, any number of outputs and tasks, and gauges on all coefficients."""
    if _validate.traced(f, penalty, init):
        return None
    found = coefficients(f, penalty, init) if f.is_squared else None
    if found is None or not isinstance(found.penalty, Leafwise):
        return None
    if not all(p is not None and p.gauge for p in found.penalty.parts(_tree.names(found.init))):
        return None
    top, least = (float(x) for x in _squared_excluded(f, penalty, init))
    return top if least > 0 and np.isfinite(top) else None


@jax.jit
def _squared_excluded(f: Smooth, penalty: Penalty, init: PyTree) -> tuple[Array, Array]:
    found = coefficients(f, penalty, init)
    assert found is not None and isinstance(found.penalty, Leafwise)
    null = _tree.zeros_like(init)
    if found.intercept:
        null = {**null, "intercept": centres(f)[1].astype(null["intercept"].dtype)}
    pull = jax.tree.map(jnp.negative, jax.grad(f)(null))
    if found.intercept:
        own = {name: u for name, u in pull.items() if name != "intercept"}
        pull = own if isinstance(found.init, dict) else own["coef"]
    parts = found.penalty.parts(_tree.names(found.init))
    floors = [jnp.asarray(part.leaf_floor()) for part in parts if part is not None]
    return found.penalty.dual(pull), jnp.min(jnp.stack(floors)).astype(f.rows.dtype)


@partial(jax.jit, static_argnums=1)
def _slopes(f: Smooth, intercept: bool) -> Array:
    y = f.data[1]
    zero = jnp.zeros(y.shape, f.rows.dtype)
    if not intercept:
        return jax.grad(f.value_at)(zero)
    level = jnp.broadcast_to(matmul(f.rows, y), y.shape) if f.risk.loss.quadratic else best_constant(f)
    return jax.grad(f.value_at)(zero + level)


@jax.jit
def _excluded(part: Leafwise, grad: Array) -> tuple[Array, Array]:
    return part.leaf_dual(-grad), jnp.asarray(part.leaf_floor(), grad.dtype)


def best_constant(f: Smooth) -> Array:
    """Newton steps on one convex function of one number, halved until they descend."""
    slope_of = jax.grad(f.losses_about)
    eps = jnp.finfo(f.rows.dtype).eps

    def step(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        at, _, taken = carry
        value, (slope, bend) = f.losses_about(at), jax.jvp(slope_of, (at,), (jnp.ones_like(at),))
        full = -slope / jnp.where(bend > 0, bend, 1.0)

        def longer(c: tuple[Array, Array]) -> Array:
            return ~(f.losses_about(at + c[0]) <= value) & (c[1] < _HALVINGS)

        move, tries = jax.lax.while_loop(longer, lambda c: (0.5 * c[0], c[1] + 1), (full, jnp.zeros((), jnp.int32)))
        move = jnp.where(tries < _HALVINGS, move, 0.0)
        return at + move, move, taken + 1

    def going(carry: tuple[Array, Array, Array]) -> Array:
        return (jnp.abs(carry[1]) > eps * (1 + jnp.abs(carry[0]))) & (carry[2] < _STEPS)

    zero = jnp.zeros((), f.rows.dtype)
    return jax.lax.while_loop(going, step, (zero, zero + 1, jnp.zeros((), jnp.int32)))[0]
