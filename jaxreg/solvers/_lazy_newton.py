"""Proximal Newton along strengths, with a Hessian that is kept for as long as it serves."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxreg import _tree
from jaxreg._linalg import matmul
from jaxreg._typing import Array, PyTree
from jaxreg.penalties import Leafwise
from jaxreg.solvers._certificate import balanced, linear_gap
from jaxreg.solvers._descent import first_step
from jaxreg.solvers._entering import weighed
from jaxreg.solvers._problem import Smooth
from jaxreg.solvers._reduce import null_reference
from jaxreg.solvers.proximal_newton import Curved, bent, curvature, least_damping, stepped

_MOST, _PATIENCE = 100, 8
_WORTH = 0.1
"""A Hessian is made anew where the last step left more than this part of the gap."""


class _At(NamedTuple):
    """Iterate, its predictions, value and gap; the Hessian, whether it is due, steps, and steps without progress."""

    params: PyTree
    predictions: Array
    value: Array
    gap: Array
    curved: Curved
    due: Array
    steps: Array
    since: Array


def slopes_of(f: Smooth, predictions: Array, intercept: bool) -> Array:
    """∂f/∂predictions, balanced where an intercept is free."""
    slopes = jax.grad(f.value_at)(predictions)
    return balanced(slopes, 0, 1) if intercept else slopes


def follow_glm(f: Smooth, part: Leafwise, strengths: Array, init: PyTree, tol: Array) -> tuple[PyTree, Array, Array]:
    """Minimise f + s * part for every s of `strengths` (B,), descending, each from the solution before.

    f is the risk of a linear model with one output, `part` acts on its coefficients. Returns parameters and
    predictions with leading axis B, and steps.
    """
    X, intercept = f.data[0], isinstance(init, dict)
    damping = least_damping(first_step(f, init))
    ref = null_reference(f, part, init)

    def judged(g: Leafwise, x: PyTree, z: Array) -> tuple[Array, Array]:
        slopes = slopes_of(f, z, intercept)
        return linear_gap(f, g, ref, x["coef"] if intercept else x, z, slopes, matmul(slopes, X))

    def going(c: _At) -> Array:
        return (c.gap > tol) & (c.steps < _MOST) & (c.since < _PATIENCE)

    def update(g: Leafwise, c: _At) -> _At:
        slopes, bends = bent(f, c.predictions)
        fresh = partial(curvature, X, bends, damping, intercept)
        curved = jax.lax.cond(c.due, fresh, lambda: c.curved)
        moved = stepped(f, g, g, c.params, curved, slopes, c.value)
        x = _tree.where(_tree.all_finite(moved), moved, c.params)
        z = f.predictions(x)
        value, gap = judged(g, x, z)
        worse = ~(gap < c.gap)
        return _At(x, z, value, gap, curved, ~(gap <= _WORTH * c.gap), c.steps + 1, jnp.where(worse, c.since + 1, 0))

    def one(carry: tuple[PyTree, Curved, Array], s: Array) -> tuple[tuple[PyTree, Curved, Array], tuple[PyTree, ...]]:
        x, curved, due = carry
        g, z, zero = weighed(s, part), f.predictions(x), jnp.zeros((), jnp.int32)
        begin = _At(x, z, *judged(g, x, z), curved, due, zero, zero)
        end = jax.lax.while_loop(going, lambda c: update(g, c), begin)
        return (end.params, end.curved, end.due), (end.params, end.predictions, end.steps)

    bends = jnp.zeros_like(f.rows)
    first = Curved(jnp.zeros((X.shape[1], X.shape[1]), X.dtype), bends, jnp.zeros(X.shape[1], X.dtype))
    return jax.lax.scan(one, (init, first, jnp.array(True)), strengths)[1]
