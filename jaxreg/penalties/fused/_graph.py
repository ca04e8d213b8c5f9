"""The prox of total variation on a graph, exact to rounding once the pieces are found.

The penalty is a sum over linear forests, each with the exact prox of a chain. Dykstra's cyclic projections on the dual,
accelerated (Chambolle and Pock 2015) and restarted when the dual objective falls (O'Donoghue and Candès 2015), find
the pieces in finitely many sweeps; the level of a piece, its mean moved by the jumps at its rim, is then closed form.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxreg._typing import Array
from jaxreg.penalties.fused._chain import chain_prox
from jaxreg.penalties.fused._forests import Forests

SWEEPS = 2000


class Sweep(NamedTuple):
    """Dual parts (K, n), the same extrapolated, momentum, dual objective, levels (n,), jumps (E,), and verdicts."""

    part: Array
    ahead: Array
    momentum: Array
    dual: Array
    level: Array
    jump: Array
    done: Array
    taken: Array


@jax.custom_jvp
def graph_prox(x: Array, strength: Array, forests: Forests) -> Array:
    """argmin_z Σₑ strengthₑ|z_head - z_tail| + ½‖z - x‖² for x (n,) and strength (E,).

    Sweeps end when the dual point certifies the levels to eps^¾ of the largest |x|, or after 2 000.
    """
    part = jnp.zeros(forests.order.shape, x.dtype)
    zero, none = jnp.zeros((), x.dtype), jnp.zeros_like(strength)
    start = Sweep(part, part, zero + 1, zero - jnp.inf, x, none, zero > 1, jnp.zeros((), jnp.int32))

    def going(s: Sweep) -> Array:
        return ~s.done & (s.taken < SWEEPS) & jnp.all(jnp.isfinite(s.level))

    end = jax.lax.while_loop(going, lambda s: _sweep(s, x, strength, forests), start)
    label = _pieces(forests, (end.level[forests.tail] == end.level[forests.head]) & (strength > 0))
    rest = x + _pull(end.jump, strength, forests) - end.level
    exact = end.level + _mean(rest, label)
    return jnp.where(end.done, exact, jnp.where(jnp.all(jnp.isfinite(x)), end.level, jnp.nan))


@graph_prox.defjvp
def _graph_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    """Each piece moves by the mean of what moves its entries, the jumps at its rim included."""
    (x, strength, forests), (dx, dstrength, _) = primals, tangents
    z = graph_prox(x, strength, forests)
    jump = jnp.sign(z[forests.head] - z[forests.tail])
    label = _pieces(forests, (jump == 0) & (strength > 0))
    return z, _mean(dx + _pull(jump, dstrength, forests), label)


def _sweep(s: Sweep, x: Array, strength: Array, forests: Forests) -> Sweep:
    """Each forest in turn, then the levels of the pieces on which all agree, and whether they are certified.

    With every part p in the subdifferential at z of its forest, z is the prox of z + Σp, and no further from that of x
    than z + Σp is from x.
    """
    bound = jnp.where(forests.edge >= 0, strength[forests.edge], 0.0)

    def project(total: Array, forest: tuple[Array, Array, Array]) -> tuple[Array, tuple[Array, Array]]:
        order, strengths, old = forest
        point = x - (total - old)
        z = chain_prox(point[order], jnp.ones_like(x), strengths)
        new = point - jnp.zeros_like(x).at[order].set(z)
        return total - old + new, (new, jnp.sign(jnp.diff(z)))

    _, (part, jumps) = jax.lax.scan(project, jnp.sum(s.ahead, 0), (jnp.asarray(forests.order), bound, s.ahead))
    point = x - jnp.sum(part, 0)
    found = jumps.ravel()[forests.place]
    level = _mean(point, _pieces(forests, (found == 0) & (strength > 0)))
    jump = jnp.sign(level[forests.head] - level[forests.tail])
    agree = jnp.all((jump == 0) | (jump == found) | (strength == 0))
    near = jnp.max(jnp.abs(level - point)) <= jnp.finfo(x.dtype).eps ** 0.75 * jnp.max(jnp.abs(x))
    dual = -jnp.sum(jnp.square(point))
    old = jnp.where(dual < s.dual, 1.0, s.momentum)
    momentum = 0.5 * (1 + jnp.sqrt(1 + 4 * old * old))
    ahead = part + (old - 1) / momentum * (part - s.part)
    return Sweep(part, ahead, momentum, dual, level, jump, agree & near, s.taken + 1)


def _pieces(forests: Forests, joined: Array) -> Array:
    """The smallest node connected to each node by joined edges, by hooking and pointer jumping."""
    n, a, b = forests.order.shape[1], forests.tail, forests.head

    def hook(carry: tuple[Array, Array]) -> tuple[Array, Array]:
        label, _ = carry
        low = jnp.where(joined, jnp.minimum(label[a], label[b]), n)
        new = label.at[a].min(low).at[b].min(low).at[label[a]].min(low).at[label[b]].min(low)
        return new[new], jnp.any(new[new] != label)

    return jax.lax.while_loop(lambda c: c[1], hook, (jnp.arange(n), jnp.any(joined)))[0]


def _mean(x: Array, label: Array) -> Array:
    """Means over pieces, at every node; a second pass takes up the rounding of the first."""
    count = jnp.zeros_like(x).at[label].add(1.0)

    def mean(v: Array) -> Array:
        return (jnp.zeros_like(x).at[label].add(v) / jnp.maximum(count, 1.0))[label]

    first = mean(x)
    return first + mean(x - first)


def _pull(jump: Array, strength: Array, forests: Forests) -> Array:
    """What the edges between pieces do to the nodes they join: up for the lower, down for the higher."""
    force = jnp.where(jump == 0, 0.0, jump * strength)
    return jnp.zeros(forests.order.shape[1], force.dtype).at[forests.tail].add(force).at[forests.head].add(-force)
