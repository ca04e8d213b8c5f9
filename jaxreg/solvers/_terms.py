"""The terms h(Kx) of a split problem: a penalty on some leaves, a penalty of a linear map, the loss itself."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp

from jaxreg import _tree
from jaxreg._pytree import pytree
from jaxreg._typing import Array, PyTree
from jaxreg.penalties import Leafwise, Penalty
from jaxreg.risk import weighted
from jaxreg.solvers._problem import Smooth


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


def as_term(block: Penalty, params: PyTree) -> Term:
    """A block of a penalty as a term: with a prox, or through its linear map."""
    if not block.composed:
        return whole(block, params)
    leaf, part = next((i, p) for i, p in enumerate(parts_on(block, params)) if p is not None)
    return Looking(part, params, leaf)


def whole(penalty: Penalty, params: PyTree) -> Whole:
    """A penalty with a prox as a term."""
    parts = parts_on(penalty, params)
    if not isinstance(penalty, Leafwise):
        return Whole(penalty, params, tuple(range(len(jax.tree.leaves(params)))))
    return Whole(penalty, params, tuple(i for i, p in enumerate(parts) if p is not None))


def parts_on(penalty: Penalty, params: PyTree) -> tuple[Any, ...]:
    """What acts on each leaf; nothing is known of a penalty of whole trees."""
    return penalty.parts(_tree.names(params)) if isinstance(penalty, Leafwise) else ()
