"""Concave penalties of the norms of groups: a group lasso that lets strong groups go."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from jaxreg._pytree import pytree, static
from jaxreg._typing import Array, ArrayLike
from jaxreg.penalties._base import Leafwise
from jaxreg.penalties.elementwise._entry import require
from jaxreg.penalties.elementwise.mcp import MCP
from jaxreg.penalties.elementwise.scad import SCAD
from jaxreg.penalties.groups.l2 import L2


@pytree
class GroupMCP(Leafwise):
    """Minimax concave penalty of the Euclidean norms along an axis, Σ_g MCP(‖x_g‖) (Huang, Breheny and Ma 2012, §2.2).

    `axis=None` takes the whole array. The prox moves the norm of every group as `MCP` moves an entry, the global
    minimiser for every step, and keeps its direction. `strength` and `gamma` > 1 are numbers or arrays that broadcast
    over the groups, with the axis of size 1; gamma = inf gives strength * `L2`. Not convex. `check` raises ValueError
    for parameters out of range.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> g = jr.GroupMCP(1.0, gamma=2.0, axis=0)
    >>> g.prox(jnp.array([[3.0, 0.3], [4.0, 0.4]]), 1.0).tolist()
    [[3.0, 0.0], [4.0, 0.0]]
    """

    strength: ArrayLike = 1.0
    gamma: ArrayLike = 3.0
    axis: int | tuple[int, ...] | None = static(default=None)
    convex = False
    radial = True

    def check(self) -> None:
        """Raise ValueError unless strength >= 0 and gamma > 1."""
        require("GroupMCP", "strength", self.strength, lambda v: v >= 0, ">= 0")
        require("GroupMCP", "gamma", self.gamma, lambda v: v > 1, "> 1")

    def leaf_terms(self, x: Array) -> Array:
        """The penalty of every group, with derivative 0 at 0."""
        return MCP(self.strength, self.gamma).leaf_terms(L2(self.axis).leaf_terms(x))

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Firm or hard thresholding of the norms."""
        return _along(MCP(self.strength, self.gamma), self.axis, x, step)

    def leaf_floor(self) -> Any:
        """The smallest strength."""
        return MCP(self.strength, self.gamma).leaf_floor()


@pytree
class GroupSCAD(Leafwise):
    """Smoothly clipped absolute deviation of norms along an axis, Σ_g SCAD(‖x_g‖) (Huang, Breheny and Ma 2012, §2.2).

    `axis=None` takes the whole array. The prox moves the norm of every group as `SCAD` moves an entry, the global
    minimiser for every step, and keeps its direction. `strength` and `gamma` > 2 are numbers or arrays that broadcast
    over the groups, with the axis of size 1; gamma = inf gives strength * `L2`. Not convex. `check` raises ValueError
    for parameters out of range.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> g = jr.GroupSCAD(1.0, gamma=3.0, axis=0)
    >>> g.prox(jnp.array([[3.0, 0.3], [4.0, 0.4]]), 1.0).tolist()
    [[3.0, 0.0], [4.0, 0.0]]
    """

    strength: ArrayLike = 1.0
    gamma: ArrayLike = 3.7
    axis: int | tuple[int, ...] | None = static(default=None)
    convex = False
    radial = True

    def check(self) -> None:
        """Raise ValueError unless strength >= 0 and gamma > 2."""
        require("GroupSCAD", "strength", self.strength, lambda v: v >= 0, ">= 0")
        require("GroupSCAD", "gamma", self.gamma, lambda v: v > 2, "> 2")

    def leaf_terms(self, x: Array) -> Array:
        """The penalty of every group, with derivative 0 at 0."""
        return SCAD(self.strength, self.gamma).leaf_terms(L2(self.axis).leaf_terms(x))

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Soft thresholding of the norms, its way back to the identity, and the identity."""
        return _along(SCAD(self.strength, self.gamma), self.axis, x, step)

    def leaf_floor(self) -> Any:
        """The smallest strength."""
        return SCAD(self.strength, self.gamma).leaf_floor()


def _along(entry: Leafwise, axis: Any, x: Array, step: Any) -> Array:
    """The prox of a penalty of norms: that of the norm, in the direction of x."""
    norm = L2(axis).leaf_terms(x)
    moved = entry.leaf_prox(norm, step)
    usable = (moved > 0) & jnp.isfinite(norm)
    return x * jnp.where(usable, moved / jnp.where(usable, norm, 1.0), jnp.sign(moved))
