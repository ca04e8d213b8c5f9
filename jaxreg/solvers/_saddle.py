"""The form that splitting solvers and their certificates share: f(x) + g(x) + Σ h(Kx), each g and h with a prox.

g is the penalty's first block; the others, penalties of a linear map, and a loss without gradient are terms h(Kx).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp

from jaxreg import _tree
from jaxreg._pytree import pytree
from jaxreg._typing import Array, PyTree
from jaxreg.penalties import Leafwise, Penalty
from jaxreg.risk import weighted
from jaxreg.solvers._problem import Smooth, largest


class Term(Protocol):
    """One h(Kx): K and its transpose, the value and prox of h, and what its conjugate is the sum of."""

    def forward(self, params: PyTree) -> PyTree: ...
    def back(self, dual: PyTree) -> PyTree: ...
    def value(self, image: PyTree) -> Array: ...
    def prox(self, image: PyTree, step: Array) -> PyTree: ...
    def duals(self, dual: PyTree) -> list[tuple[Leafwise, Array]]: ...
    def spanned(self, dual: PyTree) -> PyTree: ...
    @property
    def acts(self) -> tuple[int, ...]: ...


@pytree
class Dual:
    """The dual variable of one term, in ∂h at the solution, and ‖K‖²."""

    value: Any
    norm2: Array


class Splitting:
    """Base of the states of splitting solvers: `duals` holds one `Dual` for every term."""

    duals: tuple[Dual, ...]


class Whole(NamedTuple):
    """A penalty on the leaves where it acts, K selecting them."""

    penalty: Penalty
    params: PyTree
    leaves: tuple[int, ...]

    @property
    def acts(self) -> tuple[int, ...]:
        """The leaves where it acts."""
        return self.leaves

    def forward(self, params: PyTree) -> PyTree:
        """The leaves."""
        return tuple(jax.tree.leaves(params)[i] for i in self.leaves)

    def put(self, image: PyTree, params: PyTree) -> PyTree:
        """Parameters with these leaves replaced."""
        leaves, structure = jax.tree.flatten(params)
        for i, x in zip(self.leaves, image, strict=True):
            leaves[i] = x
        return jax.tree.unflatten(structure, leaves)

    def back(self, dual: PyTree) -> PyTree:
        """The dual, zero elsewhere."""
        return self.put(dual, _tree.zeros_like(self.params))

    def value(self, image: PyTree) -> Array:
        """The penalty."""
        return self.penalty.value(self.back(image))

    def prox(self, image: PyTree, step: Array) -> PyTree:
        """The penalty's prox."""
        return self.forward(self.penalty.prox(self.back(image), step))

    def duals(self, dual: PyTree) -> list[tuple[Leafwise, Array]]:
        """One part per leaf."""
        parts = parts_on(self.penalty, self.params)
        return [(parts[i], u) for i, u in zip(self.leaves, dual, strict=True)]

    def spanned(self, dual: PyTree) -> PyTree:
        """The dual without what rounding took out of the span of the conjugate's domain."""
        return tuple(part.leaf_span(u) for part, u in self.duals(dual)) if isinstance(self.penalty, Leafwise) else dual


class Looking(NamedTuple):
    """A penalty of a linear map of one leaf."""

    part: Leafwise
    params: PyTree
    leaf: int

    def forward(self, params: PyTree) -> Array:
        """K x."""
        return self.part.leaf_through(jax.tree.leaves(params)[self.leaf])[0]

    def back(self, dual: Array) -> PyTree:
        """Kᵀ u on its leaf, zero elsewhere."""
        leaves, structure = jax.tree.flatten(_tree.zeros_like(self.params))
        (leaves[self.leaf],) = jax.linear_transpose(lambda x: self.part.leaf_through(x)[0], leaves[self.leaf])(dual)
        return jax.tree.unflatten(structure, leaves)

    def value(self, image: Array) -> Array:
        """The penalty of the map."""
        return self._outer.leaf_value(image)

    def prox(self, image: Array, step: Array) -> Array:
        """Its prox."""
        return self._outer.leaf_prox(image, step)

    def duals(self, dual: Array) -> list[tuple[Leafwise, Array]]:
        """One part."""
        return [(self._outer, dual)]

    def spanned(self, dual: Array) -> Array:
        """The dual without what rounding took out of the span of the conjugate's domain."""
        return self._outer.leaf_span(dual)

    @property
    def acts(self) -> tuple[int, ...]:
        """Its one leaf."""
        return (self.leaf,)

    @property
    def _outer(self) -> Leafwise:
        return self.part.leaf_through(jax.tree.leaves(self.params)[self.leaf])[1]


class Fitted(NamedTuple):
    """The loss itself: K = √rows A, so that its prox is the loss's in one step for all rows."""

    f: Smooth
    params: PyTree

    def forward(self, params: PyTree) -> Array:
        """√rows times the predictions."""
        z = self.f.predictions(params)
        return jnp.sqrt(self.f.rows_like(z)) * z

    def back(self, dual: Array) -> PyTree:
        """Aᵀ √rows u."""
        return jax.linear_transpose(self.forward, self.params)(dual)[0]

    def value(self, image: Array) -> Array:
        """The risk."""
        return weighted(self.f.rows, self.f.risk.losses(self._raw(image), self.f.data))

    def prox(self, image: Array, step: Array) -> Array:
        """The loss's prox at the predictions."""
        root = jnp.sqrt(self.f.rows_like(image))
        return root * self.f.risk.proxes(self._raw(image), self.f.data, step)

    def slopes(self, dual: Array) -> Array:
        """The derivative of the risk in the predictions that the dual stands for."""
        return jnp.sqrt(self.f.rows_like(dual)) * dual

    def duals(self, dual: Array) -> list[tuple[Leafwise, Array]]:
        """None: the loss is no penalty."""
        return []

    def spanned(self, dual: Array) -> Array:
        """The dual: losses have no such span."""
        return dual

    @property
    def acts(self) -> tuple[int, ...]:
        """No leaf is penalised."""
        return ()

    def _raw(self, image: Array) -> Array:
        root = jnp.sqrt(self.f.rows_like(image))
        return jnp.where(root > 0, image / jnp.where(root > 0, root, 1.0), 0.0)


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
    terms = [_term(block, params) for block in rest]
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


def whole(penalty: Penalty, params: PyTree) -> Whole:
    """A penalty with a prox as a term."""
    parts = parts_on(penalty, params)
    if not isinstance(penalty, Leafwise):
        return Whole(penalty, params, tuple(range(len(jax.tree.leaves(params)))))
    return Whole(penalty, params, tuple(i for i, p in enumerate(parts) if p is not None))


def parts_on(penalty: Penalty, params: PyTree) -> tuple[Any, ...]:
    """What acts on each leaf; nothing is known of a penalty of whole trees."""
    return penalty.parts(_tree.names(params)) if isinstance(penalty, Leafwise) else ()


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


def _term(block: Penalty, params: PyTree) -> Term:
    if not block.composed:
        return whole(block, params)
    leaf, part = next((i, p) for i, p in enumerate(parts_on(block, params)) if p is not None)
    return Looking(part, params, leaf)
