"""Splitting a penalty without a prox of its own into blocks that have one, for solvers that take several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxreg import _tree
from jaxreg._pytree import pytree, static
from jaxreg._typing import PyTree
from jaxreg.penalties import _rules
from jaxreg.penalties._base import Leafwise
from jaxreg.penalties._sum import Sum


@pytree
class Block(Leafwise):
    """What one block holds on each named leaf, None where nothing acts."""

    acting: Any
    names: tuple[str, ...] = static()

    convex = property(lambda self: all(p.convex for p in self.acting if p is not None))
    composed = property(lambda self: any(p.composed for p in self.acting if p is not None))

    def parts(self, names: Sequence[str], named: bool = False) -> tuple[Leafwise | None, ...]:
        """The parts it was made of."""
        return self.acting


def split(penalty: Leafwise, params: PyTree) -> tuple[Leafwise, ...]:
    """Blocks whose sum is the penalty: first those with an exact prox on the whole tree, then one per linear map.

    The first has a prox, though nothing may act in it. On every leaf the terms join the first group with which a rule
    gives a prox, sets before all others and smooth ones last. A penalty with a prox is one block, itself.
    """
    names, leaves = _tree.names(params), [jnp.asarray(x) for x in jax.tree.leaves(params)]
    parts = penalty.parts(names)
    terms = [() if p is None else p.terms if isinstance(p, Sum) else (p,) for p in parts]
    groups = [_rules.groups(ts, x) for ts, x in zip(terms, leaves, strict=True)]
    through = [(i, t) for i, ts in enumerate(terms) for t in ts if t.composed]
    depth = max(1, *map(len, groups))
    if depth == 1 and not through:
        return (penalty,)
    rows = [tuple(_joined(g[k]) if k < len(g) else None for g in groups) for k in range(depth)]
    rows += [tuple(t if i == j else None for j in range(len(names))) for i, t in through]
    return tuple(Block(row, names) for row in rows)


def _joined(group: list[Leafwise]) -> Leafwise:
    return group[0] if len(group) == 1 else Sum(tuple(group))
