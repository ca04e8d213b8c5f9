"""What a penalty is: two methods, and everything that follows from them written once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxreg import _tree
from jaxreg._typing import Array, PyTree
from jaxreg.penalties._leaf import is_intercept, like, on_leaf, prox_leaf, wide


class Penalty:
    """A function g of the parameters known by its value and its proximal map.

    `value(params)` is g(x); `prox(params, step)` is argmin_z step·g(z) + ½‖z - x‖². Declared traits, never class
    names, decide what may be combined: `convex`; `homogeneous` (g(cx) = c g(x) for c > 0); `gauge` (homogeneous,
    zero only at zero: it has a `dual`); `seminorm` (the same, but zero on the subspace that an infinite step
    projects on: its `dual` and `conjugate` hold across it); `elementwise`; `uniform` (elementwise, the same
    function of every entry); `even` (g(-x) = g(x) entry by entry, least at zero); `comonotone` (additive on arrays
    whose entries are in the same order); `radial` (a function of Euclidean norms of groups); `indicator` (only 0 or
    infinity); `quadratic` (c/2 ‖x - b‖²); `metric` (the prox takes an array of steps); `dualisable` (the conjugate
    is known); `polar` (the conjugate, stated as terms, is finite where the dual norm is at most 1); `smooth` (it
    has a gradient everywhere); `bounded` (infinite outside a set that is no cone); `centred` (no value is below
    that at zero); `composed` (it looks at the parameters through a linear map: no prox); `iterative` (the prox is the
    last iterate of an algorithm, exact only to its tolerance); `estimable` (the dual norm is known from above, near a
    subgradient).
    """

    __array_ufunc__ = None
    convex: bool = True
    homogeneous: bool = False
    gauge: bool = False
    seminorm: bool = False
    elementwise: bool = False
    even: bool = False
    uniform: bool = False
    comonotone: bool = False
    radial: bool = False
    indicator: bool = False
    quadratic: bool = False
    metric: bool = False
    dualisable: bool = False
    polar: bool = False
    smooth: bool = False
    bounded: bool = False
    centred: bool = True
    composed: bool = False
    iterative: bool = False
    estimable: bool = False

    def value(self, params: PyTree) -> Array:
        """g(params), a number."""
        raise NotImplementedError

    def prox(self, params: PyTree, step: Any = 1.0) -> PyTree:
        """argmin_z step·g(z) + ½‖z - params‖², of the form of `params`."""
        raise NotImplementedError

    def check(self) -> None:
        """Raise ValueError if a concrete leaf is out of range; tracers pass."""

    def __mul__(self, strength: Any) -> Penalty:
        return _algebra.scaled(strength, self)

    __rmul__ = __mul__

    def __add__(self, other: Any) -> Penalty:
        return _algebra.added(self, other)

    def __radd__(self, other: Any) -> Penalty:
        return _algebra.added(other, self)

    def on(self, glob: str) -> Penalty:
        """Act only on the leaves whose path, or a parent of it, matches `glob`, as in `trunk/*/kernel`."""
        return _algebra.placed(glob, self)

    def shift(self, centre: Any) -> Penalty:
        """The penalty of the distance to `centre` instead of to zero: x -> g(x - centre)."""
        return _algebra.shifted(centre, self)

    def affine(self, scale: Any, offset: Any = 0) -> Penalty:
        """The penalty of scale * x + offset: x -> g(scale * x + offset); an array as scale needs a `metric` penalty."""
        return _algebra.stretched(scale, offset, self)

    def compose(self, matrix: Any) -> Penalty:
        """The penalty of A x along the last axis, x -> g(A x), for a matrix with A Aᵀ = c I, such as a rotation."""
        return _algebra.turned(matrix, self)

    def of(self, operator: Any, axis: int = 0) -> Penalty:
        """The penalty of a linear map: x -> g(Kx), K a matrix (m, p) along `axis` or a linear function."""
        return _algebra.looking(operator, axis, self)

    def split(self, params: PyTree) -> tuple[Penalty, ...]:
        """Blocks whose sum is the penalty, each with an exact prox on the whole tree or looking through one map."""
        return (self,)

    def prox_dual(self, params: PyTree, step: Any = 1.0) -> PyTree:
        """Prox of the conjugate g*, by Moreau's identity: x - step·prox_{g/step}(x/step) (Moreau 1965)."""
        inner = self.prox(jax.tree.map(lambda x: x / step, params), 1.0 / step)
        return jax.tree.map(lambda x, z: x - step * z, params, inner)

    def envelope(self, params: PyTree, step: Any = 1.0) -> Array:
        """Moreau envelope min_z g(z) + ‖z - x‖²/(2 step); its gradient is (x - prox(x, step))/step."""
        z = self.prox(params, step)
        return self.value(z) + _tree.norm2(_tree.sub(z, params)) / (2 * step)

    def residual(self, params: PyTree, grad: PyTree, step: Any = 1.0) -> PyTree:
        """Fixed-point residual (x - prox(x - step·grad, step))/step, zero exactly at a stationary point."""
        moved = self.prox(_tree.add_scale(params, -step, grad), step)
        return jax.tree.map(lambda x, z: (x - z) / step, params, moved)

    def dual(self, grad: PyTree) -> Array:
        """Polar of a gauge or seminorm: the smallest c >= 0 with `grad` in c ∂g(0).

        Raises TypeError where the penalty is neither.
        """
        raise TypeError(f"{self!r} is not a gauge: it has no dual norm.")

    def conjugate(self, grad: PyTree) -> Array:
        """Convex conjugate g*(u) = sup_x <u, x> - g(x), possibly infinite.

        Raises TypeError where no closed form is known.
        """
        raise TypeError(f"{self!r} states no conjugate.")


class Leafwise(Penalty):
    """A penalty that sees one array; on a tree it is the sum over leaves, a leaf named `intercept` left alone.

    A subclass states `leaf_value(x)` and `leaf_prox(x, step)`. To take array strengths it states `leaf_terms(x)`, an
    array of terms with the reduced axes kept at size 1, instead of `leaf_value`; a gauge states `leaf_dual_terms(u)`
    of the same shape.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> @jr.pytree
    ... class Cubic(jr.Leafwise):
    ...     def leaf_value(self, x):
    ...         return jnp.sum(jnp.abs(x) ** 3) / 3
    ...     def leaf_prox(self, x, step):
    ...         return jnp.sign(x) * (jnp.sqrt(1 + 4 * step * jnp.abs(x)) - 1) / (2 * step)
    >>> (2.0 * Cubic()).prox(jnp.array([3.0, -10.0]), 1.0).tolist()
    [1.0, -2.0]
    """

    def leaf_value(self, x: Array) -> Array:
        """g of one array."""
        return jnp.sum(self.leaf_terms(x))

    def leaf_total(self, x: Array) -> Array:
        """g of one array of any dtype, at least float32; a set sees it unwidened, to judge by its own rounding."""
        exact = self.indicator and jnp.issubdtype(x.dtype, jnp.floating)
        return wide(self.leaf_value(x if exact else wide(x)))

    def leaf_prox(self, x: Array, step: Any) -> Array:
        """Prox of one array."""
        raise NotImplementedError

    def leaf_terms(self, x: Array) -> Array:
        """The terms whose sum is the value, for array strengths; one term if not stated."""
        return self.leaf_value(x)

    def leaf_outside(self, x: Array) -> Array:
        """Where x is outside the domain, shaped like `leaf_terms`: infinite whatever the strength."""
        return jnp.zeros((), bool)

    def leaf_spread(self, terms: Array, x: Array) -> Array:
        """Numbers shaped like `leaf_terms`, each given to the entries of x that its term is made of."""
        return jnp.broadcast_to(terms, x.shape)

    def leaf_dual_terms(self, u: Array) -> Array:
        """The terms whose largest is the dual norm, shaped like `leaf_terms`."""
        raise TypeError(f"{self!r} is not a gauge: it has no dual norm.")

    def leaf_dual(self, u: Array) -> Array:
        """Dual norm of one array."""
        return jnp.max(self.leaf_dual_terms(u), initial=0)

    def leaf_dual_near(self, u: Array, x: Array) -> Array:
        """An upper bound of the dual norm of u on the span, tight where u is in ∂g(x), of an `estimable` penalty."""
        raise TypeError(f"{self!r} has no estimate of a dual norm.")

    def leaf_span(self, u: Array) -> Array:
        """The nearest point of the linear span of the conjugate's domain, outside which the conjugate is infinite."""
        return u

    def leaf_conjugate(self, u: Array) -> Array:
        """Conjugate of one array; for a gauge or seminorm the indicator of its polar ball, to rounding."""
        if self.polar:
            return jnp.sum(self.leaf_conjugate_terms(u))
        if not (self.gauge or self.seminorm):
            raise TypeError(f"{self!r} states no conjugate.")
        slack = 16 * jnp.finfo(u.dtype).eps
        inside = self.leaf_dual(u) <= 1 + slack
        if self.seminorm:
            inside &= _tree.max_abs(u - self.leaf_span(u)) <= slack * _tree.max_abs(u)
        return jnp.where(inside, 0.0, jnp.inf).astype(u.dtype)

    def leaf_conjugate_terms(self, u: Array) -> Array:
        """The terms whose sum is the conjugate, for array strengths."""
        raise TypeError(f"{self!r} states no conjugate by terms.")

    def leaf_quadratic(self, x: Array) -> tuple[Array, Array]:
        """Curvature c and centre b of a quadratic c/2 ‖x - b‖², each a number or shaped like x."""
        raise TypeError(f"{self!r} is not quadratic.")

    def leaf_floor(self) -> Any:
        """Smallest strength anywhere on the leaf; 0: some entry is unpenalised; NaN: a parameter is out of range."""
        return 1.0

    def leaf_through(self, x: Array) -> tuple[Array, Leafwise]:
        """K x and the penalty h with g(x) = h(Kx), for a linear map K that is the identity unless `composed`."""
        return x, self

    def split(self, params: PyTree) -> tuple[Leafwise, ...]:
        """Blocks whose sum is the penalty, each with an exact prox on the whole tree or looking through one map."""
        return _split.split(self, params)

    def parts(self, names: Sequence[str], named: bool = False) -> tuple[Leafwise | None, ...]:
        """The penalty that acts on each named leaf, None where none does."""
        return tuple(self if named or not is_intercept(name) else None for name in names)

    def value(self, params: PyTree) -> Array:
        """g(params), a number in the parameters' dtype, at least float32."""
        pairs = zip(self.parts(_tree.names(params)), jax.tree.leaves(params), strict=True)
        terms = [on_leaf("leaf_total", part, jnp.asarray(x)) for part, x in pairs if part is not None]
        return sum(terms[1:], terms[0]) if terms else wide(jnp.zeros((), _tree.dtype(params)))

    def prox(self, params: PyTree, step: Any = 1.0) -> PyTree:
        """argmin_z step·g(z) + ½‖z - x‖²; an array or tree of steps is a diagonal metric.

        Raises TypeError where a metric is given and no exact prox in it is known.
        """
        pairs, steps = self._pairs(params), _tree.spread(step, params)
        moved = [x if part is None else prox_leaf(part, x, t) for (part, x), t in zip(pairs, steps, strict=True)]
        leaves, structure = jax.tree.flatten(params)
        return jax.tree.unflatten(structure, [like(z, x) for z, x in zip(moved, leaves, strict=True)])

    def dual(self, grad: PyTree) -> Array:
        """Polar of the gauge, the largest over leaves; unpenalised leaves do not count, 0 if all are."""
        pairs = [(part, u) for part, u in self._pairs(grad) if part is not None]
        none = wide(jnp.zeros((), _tree.dtype(grad)))
        return jnp.max(jnp.stack([on_leaf("leaf_dual", part, u) for part, u in pairs] or [none]))

    def conjugate(self, grad: PyTree) -> Array:
        """Conjugate, summed over leaves; infinite where an unpenalised leaf has a nonzero entry."""
        total = wide(jnp.zeros((), _tree.dtype(grad)))
        for part, u in self._pairs(grad):
            free = jnp.where(jnp.all(u == 0), 0.0, jnp.inf).astype(u.dtype)
            total = total + (free if part is None else on_leaf("leaf_conjugate", part, u))
        return total

    def _pairs(self, params: PyTree) -> list[tuple[Leafwise | None, Array]]:
        leaves = [wide(jnp.asarray(x)) for x in jax.tree.leaves(params)]
        return list(zip(self.parts(_tree.names(params)), leaves, strict=True))


# Last, because the algebra is built of the classes above and their operators return it.
from jaxreg.penalties import _algebra, _split  # noqa: E402
