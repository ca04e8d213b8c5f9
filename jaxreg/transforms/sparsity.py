"""How sparse parameters are, leaf by leaf, and which whole units a penalty has removed."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg import _tree
from jaxreg._typing import PyTree
from jaxreg.penalties import Leafwise, Penalty


class LeafSparsity(NamedTuple):
    """Of one leaf: its shape, entries that are zero, their share, and per axis the slices that are zero throughout."""

    shape: tuple[int, ...]
    zeros: int
    share: float
    units: tuple[int, ...]


class Sparsity(dict[str, LeafSparsity]):
    """A dictionary from the leaf's name to its `LeafSparsity`; `str` is a table, rich prints it too."""

    @property
    def share(self) -> float:
        """Share of zeros in all leaves."""
        return sum(s.zeros for s in self.values()) / max(sum(int(np.prod(s.shape)) for s in self.values()), 1)

    def __str__(self) -> str:
        width = max([len(name) for name in self] + [5])
        lines = [f"{'leaf':<{width}}  {'shape':>16}  {'zeros':>10}  {'share':>6}  zero slices per axis"]
        for name, s in self.items():
            units = ", ".join(f"{z} of {n}" for z, n in zip(s.units, s.shape, strict=True))
            lines.append(f"{name:<{width}}  {s.shape!s:>16}  {s.zeros:>10}  {s.share:>6.1%}  {units}")
        return "\n".join([*lines, f"{'total':<{width}}  {'':>16}  {'':>10}  {self.share:>6.1%}"])

    def __rich__(self) -> str:
        return str(self)


class Pruned(NamedTuple):
    """Masks of the parameters' form, True where an entry is kept, and the shapes of the leaves without the rest."""

    masks: PyTree
    shapes: dict[str, tuple[int, ...]]


def sparsity(params: PyTree) -> Sparsity:
    """Count exact zeros: per leaf the entries, and along every axis the slices (rows, filters) that are all zero.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> found = jr.sparsity({"kernel": jnp.array([[1.0, 0.0], [2.0, 0.0]])})
    >>> found["kernel"].zeros, found["kernel"].units, found.share
    (2, (0, 1), 0.5)
    """
    leaves = (np.asarray(x) for x in jax.tree.leaves(params))
    return Sparsity(zip(_tree.names(params), map(_count, leaves), strict=True))


def prune(params: PyTree, penalty: Penalty) -> Pruned:
    """Masks that leave out the groups of a penalty that are zero throughout, and the shapes that remain.

    The groups are those over which `penalty` sums its terms: columns for `L2(axis=0)`, filters of a kernel (height,
    width, in, out) for `L2(axis=(0, 1, 2))`. Axes along which whole slices go are shortened in `shapes`; groups that
    are no slices are masked alone. Every leaf is seen by itself: whether the next layer's inputs go too is the
    network's structure, which leaves do not tell; penalise in one leaf what belongs together. Raises TypeError for a
    penalty that is no sum over leaves or whose groups are no axes.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> found = jr.prune({"kernel": jnp.array([[1.0, 0.0, 3.0], [2.0, 0.0, 0.0]])}, jr.L2(axis=0).on("kernel"))
    >>> found.shapes, found.masks["kernel"][0].tolist()
    ({'kernel': (2, 2)}, [True, False, True])
    """
    if not isinstance(penalty, Leafwise):
        raise TypeError(f"prune: {type(penalty).__name__} couples whole trees: it has no groups of one leaf to remove.")
    names = _tree.names(params)
    leaves, structure = jax.tree.flatten(params)
    pairs = zip(penalty.parts(names), leaves, strict=True)
    masks = [np.ones(np.shape(x), bool) if part is None else _kept(part, x) for part, x in pairs]
    return Pruned(jax.tree.unflatten(structure, masks), dict(zip(names, map(_shape, masks), strict=True)))


def _count(x: np.ndarray) -> LeafSparsity:
    zeros = int((x == 0).sum())
    return LeafSparsity(x.shape, zeros, zeros / max(x.size, 1), tuple(_dead(x != 0, a) for a in range(x.ndim)))


def _dead(alive: np.ndarray, axis: int) -> int:
    others = tuple(a for a in range(alive.ndim) if a != axis)
    return int((~alive.any(axis=others)).sum())


def _kept(part: Leafwise, x: Any) -> np.ndarray:
    """Entries whose group has one that is not zero: the groups are told by the shape of the penalty's terms."""
    alive = np.asarray(x) != 0
    axes = jax.eval_shape(part.leaf_terms, jax.ShapeDtypeStruct(alive.shape, jnp.float32)).shape
    if len(axes) != alive.ndim or any(a not in (1, n) for a, n in zip(axes, alive.shape, strict=True)):
        raise TypeError(
            f"prune: the groups of {part!r} are no axes of a leaf of shape {alive.shape}; use a penalty along axes, "
            "such as L2(axis=0), or read the zeros off the parameters."
        )
    joined = tuple(a for a in range(alive.ndim) if axes[a] == 1)
    return np.broadcast_to(alive.any(axis=joined, keepdims=True), alive.shape).copy()


def _shape(kept: np.ndarray) -> tuple[int, ...]:
    return tuple(n - _dead(kept, a) for a, n in enumerate(kept.shape))
