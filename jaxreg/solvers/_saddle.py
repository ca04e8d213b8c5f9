"""The form that splitting solvers and their certificates share: f(x) + g(x) + Σ h(Kx), each g and h with a prox.

g is the penalty's first block; the others, penalties of a linear map, and a loss without gradient are terms h(Kx).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp

from jaxreg import _tree
from jaxreg._typing import Array, PyTree
from jaxreg.penalties import Penalty
from jaxreg.solvers._problem import Smooth, largest
from jaxreg.solvers._terms import Dual, Fitted, Term, Whole, as_term


class Splitting:
    """Base of the states of splitting solvers: `duals` holds one `Dual` for every term."""

    duals: tuple[Dual, ...]


class Saddle(NamedTuple):
    """f + g + Σ h(Kx); `fitted` is the loss's term, the last, where f is not smooth."""

    g: Penalty
    terms: tuple[Term, ...]
    fitted: Fitted | None

    @property
    def wholes(self) -> tuple[Whole, ...]:
        """The terms whose map is the identity on some leaves: all of them for solvers that know no other map."""
        return tuple(t for t in self.terms if isinstance(t, Whole))

    @property
    def is_whole(self) -> bool:
        """Whether every term is one of those."""
        return len(self.wholes) == len(self.terms)

    def proxes(
        self, points: Sequence[PyTree], step: Array, duals: tuple[Dual, ...]
    ) -> tuple[tuple[PyTree, ...], tuple[Dual, ...]]:
        """The prox of every block at a point of its own, and the duals (point - prox)/step of all but the first."""
        found, made = [self.g.prox(points[0], step)], []
        for term, point, dual in zip(self.wholes, points[1:], duals, strict=True):
            image = term.forward(point)
            near = term.prox(image, step)
            found.append(term.put(near, point))
            made.append(Dual(_tree.scale(1 / step, _tree.sub(image, near)), dual.norm2))
        return tuple(found), tuple(made)

    def spanned(self, duals: tuple[Dual, ...]) -> tuple[PyTree, ...]:
        """The values of duals, each in the span of its term's conjugate."""
        return tuple(term.spanned(dual.value) for term, dual in zip(self.terms, duals, strict=True))

    def pull(self, duals: tuple[PyTree, ...], params: PyTree) -> PyTree:
        """Σ Kᵀ u."""
        return pull(self.terms, duals, params)

    def pull_penalties(self, duals: tuple[PyTree, ...], params: PyTree) -> PyTree:
        """Σ Kᵀ u without the loss."""
        keep = len(self.terms) - (self.fitted is not None)
        return pull(self.terms[:keep], duals[:keep], params)


def pull(terms: tuple[Term, ...], duals: tuple[PyTree, ...], params: PyTree) -> PyTree:
    """Σ Kᵀ u over terms."""
    total = _tree.zeros_like(params)
    for term, u in zip(terms, duals, strict=True):
        total = _tree.add_scale(total, 1.0, term.back(u))
    return total


def saddle(f: Smooth, penalty: Penalty, params: PyTree) -> Saddle:
    """Split the problem. Raises TypeError for a loss that has neither gradient nor prox."""
    g, *rest = penalty.split(params)
    terms = [as_term(block, params) for block in rest]
    loss = f.risk.loss
    if loss.smooth:
        return Saddle(g, tuple(terms), None)
    if not (loss.proximable and f.is_linear):
        raise TypeError(f"{loss!r} has no gradient: it needs a prox and the linear model jaxreg.linear.")
    fitted = Fitted(f, params)
    return Saddle(g, (*terms, fitted), fitted)


def two_blocks(s: Saddle) -> bool:
    """Whether a smooth loss has two penalties with a prox beside it, as DavisYin needs."""
    return len(s.terms) == 1 and s.is_whole


def linear_systems(f: Smooth, s: Saddle) -> bool:
    """Whether a step in the parameters is a linear system, as ADMM needs."""
    return f.is_linear and (s.fitted is not None or f.is_bounded)


def able(f: Smooth, s: Saddle) -> str:
    """The names of the solvers that serve a problem with terms."""
    names = ["DavisYin()"] * two_blocks(s) + ["ADMM()"] * linear_systems(f, s)
    return " or ".join(filter(None, (", ".join(names), "PDHG()")))


def start_duals(terms: tuple[Term, ...], params: PyTree) -> tuple[Dual, ...]:
    """Zero duals, and ‖K‖² by power iteration with a margin."""

    def one(term: Term) -> Dual:
        zero = _tree.zeros_like(term.forward(params))
        if isinstance(term, Whole):
            return Dual(zero, jnp.ones((), _tree.dtype(params)))
        size = largest(lambda v: term.back(term.forward(v)), params)
        return Dual(zero, 1.05 * jnp.where(size > 0, size, 1.0))

    return tuple(map(one, terms))


def natural_step(f: Smooth, s: Saddle, duals: tuple[Dual, ...], smooth_step: Array) -> Array:
    """Parameters per gradient: 1/L of a smooth f, else the loss at zero over ‖√rows A‖²."""
    if s.fitted is None:
        return smooth_step
    zero = jnp.abs(f(_tree.zeros_like(s.fitted.params)))
    return jnp.where(zero > 0, zero, 1.0) / duals[-1].norm2


def moves(new: tuple[PyTree, ...], old: tuple[PyTree, ...], norms: Sequence[Array], power: int) -> Array:
    """Σ ‖K‖^(2 power) ‖new - old‖²: power 1 for duals, in squared gradients, -1 for images, in squared parameters."""
    return sum(_tree.norm2(_tree.sub(a, b)) * n**power for a, b, n in zip(new, old, norms, strict=True))  # type: ignore[return-value]


def halfway(sigma: Array, dual: Array, primal: Array) -> Array:
    """A dual step moved halfway, on a log scale, to the ratio of squared dual to primal moves."""
    ratio = dual / primal
    usable = jnp.isfinite(ratio) & (ratio > 0)
    return jnp.where(usable, jnp.sqrt(sigma * jnp.sqrt(jnp.where(usable, ratio, 1.0))), sigma)
