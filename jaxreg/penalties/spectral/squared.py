"""Squares of norms of singular values: learned relations of tasks and of features, eliminated."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxreg._pytree import pytree, show, static
from jaxreg._typing import Array, ArrayLike
from jaxreg._validate import traced
from jaxreg.penalties._base import Leafwise
from jaxreg.penalties.groups.exclusive import Exclusive
from jaxreg.penalties.groups.ksupport import KSupport, split
from jaxreg.penalties.spectral._divided import per_matrix
from jaxreg.penalties.spectral._singular import count, map_singular, singular_values


@pytree
class SquaredNuclear(Leafwise):
    """Half the squared sum of singular values of the last two axes, ½‖X‖².

    It is min over Ω ⪰ 0, tr Ω = 1 of ½ tr(XᵀΩ⁻¹X), the tasks' learned relation (Zhang and Yeung 2010), which by
    symmetry is that of the features (Argyriou, Evgeniou and Pontil 2008, Theorem 1). The prox is that of ½‖σ‖₁²
    on singular values (Lewis 1995). Raises ValueError on arrays with fewer than two axes.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.SquaredNuclear().prox(jnp.diag(jnp.array([4.0, 3.0])), 0.5).round(2).tolist()
    [[2.25, 0.0], [0.0, 1.25]]
    """

    dualisable = polar = True

    def leaf_terms(self, x: Array) -> Array:
        """½‖X‖² of each matrix, its axes kept."""
        return 0.5 * jnp.square(jnp.sum(singular_values(x), axis=-1))[..., None, None]

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Singular values less the step times the sum of those that are left."""
        return map_singular(_shared, x, per_matrix(step, x))

    def leaf_dual_terms(self, u: Array) -> Array:
        """The largest singular value of each matrix."""
        return jnp.max(singular_values(u), axis=-1, initial=0)[..., None, None]

    def leaf_conjugate_terms(self, u: Array) -> Array:
        """½ of its square."""
        return 0.5 * jnp.square(self.leaf_dual_terms(u))


@pytree
class ClusterNorm(Leafwise):
    """Half the squared cluster norm of the last two axes, ½ min tr(Xᵀ(εI + M)⁻¹X) over 0 ⪯ M ⪯ I, tr M <= k.

    The convex relaxation of k clusters of tasks, and of k feature dimensions shared by all tasks (Jacob, Bach
    and Vert 2009; Chen et al. 2009; that they are one is Theorem 1 of Zhou, Chen and Ye 2011). On singular values it is
    ½ min Σ σᵢ²/(ε + μᵢ) over 0 <= μ <= 1, Σμ <= k, so that its prox is that of the k-support norm shifted by ε
    (McDonald, Pontil and Stamos 2016). Raises ValueError for a k that is no integer >= 1 or a negative `epsilon`.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.ClusterNorm(1, 0.0).prox(jnp.diag(jnp.array([4.0, 3.0])), 0.5).round(2).tolist()
    [[2.25, 0.0], [0.0, 1.25]]
    """

    k: int = static()
    epsilon: ArrayLike = 0.1
    dualisable = polar = True

    def check(self) -> None:
        """Raise ValueError unless k is an integer >= 1 and epsilon a finite number >= 0."""
        KSupport(self.k)
        if not traced(self.epsilon) and not (np.ndim(self.epsilon) == 0 and 0 <= float(self.epsilon) < np.inf):
            raise ValueError(f"ClusterNorm: epsilon is {show(self.epsilon)}, expected a finite number >= 0.")

    def leaf_terms(self, x: Array) -> Array:
        """½ Σ σᵢ²/(ε + μᵢ) of each matrix, its axes kept."""
        s = singular_values(x)
        shift = jnp.asarray(self.epsilon, s.dtype)
        by_row = jnp.vectorize(lambda row: _weights(row, shift, shift, self.k), signature="(k)->(k)")
        weights = by_row(s) if count(x) else s
        terms = jnp.where(s == 0, 0.0, jnp.square(s) / jnp.where(weights > 0, weights, 1.0))
        return 0.5 * jnp.sum(terms, axis=-1)[..., None, None]

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """σ (ε + μ)/(ε + μ + step); an infinite step gives 0."""
        return map_singular(_clustered, x, per_matrix(step, x), per_matrix(self.epsilon, x), per_matrix(self.k, x))

    def leaf_dual_terms(self, u: Array) -> Array:
        """√(ε Σσ² + the sum of the k largest σ²) of each matrix."""
        return jnp.sqrt(2 * self.leaf_conjugate_terms(u))

    def leaf_conjugate_terms(self, u: Array) -> Array:
        """½(ε Σσ² + the sum of the k largest σ²) of each matrix."""
        square = jnp.square(singular_values(u))
        total = jnp.asarray(self.epsilon, u.dtype) * jnp.sum(square, -1) + jnp.sum(square[..., : self.k], -1)
        return 0.5 * total[..., None, None]


def _shared(s: Array, step: Array) -> Array:
    return Exclusive().leaf_prox(s, step)


def _clustered(s: Array, step: Array, shift: Array, k: Array) -> Array:
    ends = jnp.isinf(step)
    t = jnp.where(ends, 0.0, step)
    weights = _weights(s, (t + shift)[0], shift[0], k[0])
    total = weights + t
    return jnp.where(ends, s * 0.0, s * jnp.where(total > 0, weights / jnp.where(total > 0, total, 1.0), 0.0))


def _weights(s: Array, reach: Array, shift: Array, k: Array | int) -> Array:
    """ε + μ with μ = clip(c s - reach, 0, 1), c the number that makes Σμ = k; μ = 1 where s has at most k entries."""
    full, active = split(s, reach, k)
    between = active & ~full
    places, mass = k - jnp.sum(full), jnp.sum(jnp.where(between, s, 0.0))
    level = (places + reach * jnp.sum(between)) / jnp.where(mass > 0, mass, 1.0)
    return shift + jnp.where(full, 1.0, jnp.where(between, jnp.clip(level * s - reach, 0.0, 1.0), 0.0))
