"""Halpern's iteration with restarts: pulls a nonexpansive map's iterates toward an anchor that follows them."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from jaxreg import _tree
from jaxreg._pytree import pytree
from jaxreg._typing import Array, PyTree

_ENOUGH, _SOME, _LONG, _PATIENCE = 0.2, 0.8, 0.36, 20
"""Restart when the residual fell by the first factor, or by the second and rises, or after a share of all steps."""


@pytree
class Anchor:
    """The anchor, steps since it was set and in all, and the fixed-point residual there and of the step before."""

    point: Any
    count: Array
    total: Array
    first: Array
    last: Array


def anchor_at(point: PyTree) -> Anchor:
    """A fresh anchor."""
    zero, none = jnp.zeros((), jnp.int32), jnp.full((), jnp.inf, _tree.dtype(point))
    return Anchor(point, zero, zero, none, none)


def anchored(anchor: Anchor, point: PyTree, image: PyTree, residual: Array, firm: bool) -> tuple[PyTree, Anchor, Array]:
    """The next point after `point`, whose image under the map is `image`; the anchor; and whether it was just set.

    x⁺ = (k+1)/(k+2) R(x) + 1/(k+2) x₀ (Halpern 1967; Lieder 2021) with R = 2T - 1 for a firmly nonexpansive map, else
    3/2 T - 1/2, as a gradient step of 1/L inside allows. Restarts (Lu and Yang 2024) make it linearly convergent on
    piecewise linear and quadratic problems.
    """
    k, over = anchor.count, 1.0 if firm else 0.5
    first = jnp.where(k == 0, residual, anchor.first)
    done = (residual <= _ENOUGH * first) | ((residual <= _SOME * first) & (residual > anchor.last))
    noise = (k >= _PATIENCE) & (residual > first)  # a map that is only nonexpansive lets rounding grow
    restart = (k > 0) & (done | noise | (k >= _LONG * anchor.total))
    share = 1 / (k + 2).astype(first.dtype)
    reflected = _tree.add_scale(image, over, _tree.sub(image, point))
    mixed = _tree.add_scale(reflected, share, _tree.sub(anchor.point, reflected))
    kept = Anchor(anchor.point, k + 1, anchor.total + 1, first, residual)
    fresh = Anchor(image, jnp.zeros_like(k), anchor.total + 1, first, jnp.full_like(residual, jnp.inf))
    return _tree.where(restart, image, mixed), _tree.where(restart, fresh, kept), restart
