"""The tasks' relation learned from their parameters, to be taken anew while these are trained."""

from __future__ import annotations

from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg import _tree
from jaxreg._linalg import eigh, einsum
from jaxreg._pytree import pytree, show
from jaxreg._typing import Array, ArrayLike, PyTree
from jaxreg._validate import traced
from jaxreg.penalties.coupling._rows import rows_along
from jaxreg.penalties.coupling.graph import Graph
from jaxreg.penalties.spectral._symmetric import map_symmetric


@pytree
class Relation:
    """A learned relation of T tasks: `omega` (T, T), of trace 1, its inverse `precision`, and the axis of the tasks.

    `values` and `vectors` are the eigenvalues and eigenvectors of the precision.
    """

    omega: Any
    precision: Any
    values: Any
    vectors: Any

    def coupling(self, axis: int = 0) -> Graph:
        """The penalty ½ tr(XᵀΩ⁻¹X) along an axis, a `Graph` whose Laplacian is the precision; Ω is held fixed in it."""
        held = jax.lax.stop_gradient(self)
        return Graph(held.precision, axis, held.values, held.vectors)

    @property
    def correlations(self) -> Array:
        """Ω scaled to a diagonal of ones."""
        size = jnp.sqrt(jnp.diagonal(self.omega))
        return self.omega / (size[:, None] * size[None, :])


def learn_relation(params: PyTree, axis: int = 0, *, only: str = "*", epsilon: ArrayLike = 1e-3) -> Relation:
    """The relation Ω = (WWᵀ + ε̄I)^½ / tr(WWᵀ + ε̄I)^½ of tasks, the rows of W: the best one for parameters as they are.

    Of all Ω ⪰ 0 with trace 1 it makes ½ tr(WᵀΩ⁻¹W) least (Zhang and Yeung 2010, equation 14, ε to keep it invertible:
    Argyriou, Evgeniou and Pontil 2008); ε̄ is `epsilon` times the mean squared norm of a task. W collects the leaves
    that match the glob `only`, which have the tasks on `axis`. In a training loop take it once in a while, and add
    `strength * relation.coupling().on(...)` to the objective: alternating in full is a descent of
    strength * SquaredNuclear(), up to ε. Parameters of zero give I/T. It is pure and differentiable, also where
    eigenvalues meet.

    Raises ValueError for a glob without a match, leaves that disagree on the number of tasks, or epsilon <= 0.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> found = jr.learn_relation(jnp.array([[1.0, 0.0], [1.0, 0.1], [-1.0, 0.0]]))
    >>> found.correlations.round(1)[0].tolist()
    [1.0, 0.9..., -0.9...]
    >>> float(found.coupling().value(jnp.ones((3, 2)))) > float(found.coupling().value(jnp.array([[1.0], [1], [-1]])))
    True
    """
    where = "learn_relation"
    if not traced(epsilon) and not np.all(np.asarray(epsilon) > 0):
        raise ValueError(f"{where}: epsilon is {show(epsilon)}, expected a number > 0: without it Ω has no inverse.")
    names = _tree.names(params)
    hits = set(_tree.matching(names, only, f"{where}: only={only!r}"))
    rows = [rows_along(jnp.asarray(x), axis) for n, x in zip(names, jax.tree.leaves(params), strict=True) if n in hits]
    if len({len(x) for x in rows}) != 1:
        raise ValueError(f"{where}: axis {axis} has {[len(x) for x in rows]} tasks in the leaves; they must agree.")
    gram = reduce(jnp.add, [einsum("ip,jp->ij", x, x) for x in rows])
    mean = jnp.trace(gram) / len(gram)
    unit = jnp.where(mean > 0, mean, 1.0)
    gram = jnp.where(mean > 0, gram / unit, jnp.eye(len(gram), dtype=gram.dtype))
    epsilon = jnp.asarray(epsilon, gram.dtype)[None]
    root = map_symmetric(_root, gram, epsilon)
    size = jnp.trace(root)
    values, vectors = eigh(jax.lax.stop_gradient(gram))
    kept = jax.lax.stop_gradient(size) * _inverse_root(values, epsilon)
    return Relation(root / size, size * map_symmetric(_inverse_root, gram, epsilon), kept, vectors)


def _root(s: Array, epsilon: Array) -> Array:
    return jnp.sqrt(jnp.maximum(s, 0.0) + epsilon)


def _inverse_root(s: Array, epsilon: Array) -> Array:
    return 1 / _root(s, epsilon)
