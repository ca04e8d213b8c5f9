"""Dual feasible points of linear models: slopes moved to where the conjugates of all penalties are finite and known.

A coupling of tasks leaves a subspace unpenalised, and free parameters are all of one: there minus the gradient must be
0. Of a penalty whose conjugate is not known it must be the subgradient that is. Either asks for slopes with a given
Aᵀ slopes, and those of a Newton step are taken, slopes - rows ℓ'' A v with v by conjugate gradients: where the loss is
flat the slope, at the end of the domain of ℓ*, stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxreg import _tree
from jaxreg._typing import Array, PyTree
from jaxreg.penalties import Leafwise
from jaxreg.penalties._leaf import is_intercept
from jaxreg.solvers._problem import Smooth
from jaxreg.solvers._sides import Estimated, Side, Stated, touched

_PASSES, _CG_STEPS = 3, 128
_SLACK = 64


class _Ask(NamedTuple):
    """What is asked of minus the gradient of one array: to be `aim` on the range of the projection `off`."""

    off: Callable[[Array], Array]
    aim: Array


class Feasible(NamedTuple):
    """Slopes, the sides of all penalised arrays there, whether slopes were moved, and to what was asked for."""

    slopes: Array
    sides: list[Side]
    moved: bool
    reached: Array


def feasible(
    f: Smooth,
    parts: Sequence[Leafwise | None],
    held: frozenset[int],
    params: PyTree,
    slopes: Array,
    pulled: PyTree,
    touch: tuple[PyTree, PyTree],
    close: Array,
) -> Feasible | None:
    """Slopes that suit the penalties `parts` of the leaves of `params`, None where theory has none.

    The gradient is pulled + Aᵀ slopes; `held` leaves have terms beside their part; `touch` is z and u of the penalty.
    Slopes are only moved `close` to a solution: elsewhere it would be in vain.
    """
    if not all(p is None or p.dualisable or p.estimable or _is_touchable(f, p) for p in parts):
        return None
    leaves, (points, normals) = jax.tree.leaves(params), map(jax.tree.leaves, touch)
    even = _plain_intercept(f, parts, held, params)
    axes = None if even is None else _level_axes(slopes.ndim, leaves[even].ndim, f.rows.ndim)
    slopes = slopes if axes is None else balanced(slopes, axes)
    asks = [
        None if i == even else _asked(p, x, u) for i, (p, x, u) in enumerate(zip(parts, leaves, normals, strict=True))
    ]
    reached = jnp.array(True)
    if any(asks):
        if not f.risk.loss.smooth:
            return None
        slopes, reached = _moved(f, asks, params, slopes, pulled, close, axes)
    grads = jax.tree.leaves(_tree.add_scale(pulled, 1.0, jax.vjp(f.predictions, params)[1](slopes)[0]))
    sides: list[Side] = []
    for part, ask, grad, x, z, u in zip(parts, asks, grads, leaves, points, normals, strict=True):
        if part is None:
            continue
        if not (part.dualisable or part.estimable):
            sides.append(touched(part, z, u))
            continue
        cleaned = -grad if ask is None else jnp.where(reached, ask.off(grad), 0.0) - grad
        sides.append(Stated(part, cleaned) if part.dualisable else Estimated(part.leaf_dual_near(cleaned, x)))
    return Feasible(slopes, sides, any(asks), reached)


def balanced(slopes: Array, axes: tuple[int, ...]) -> Array:
    """Scale the heavier sign down so that slopes sum to 0 over `axes`: |α| only shrinks, so ℓ* stays finite."""
    up = jnp.sum(jnp.maximum(slopes, 0.0), axes, keepdims=True)
    down = jnp.sum(jnp.maximum(-slopes, 0.0), axes, keepdims=True)
    least = jnp.minimum(up, down)
    ratio = jnp.where(slopes > 0, least / jnp.where(up > 0, up, 1.0), least / jnp.where(down > 0, down, 1.0))
    return slopes * ratio


def _level_axes(slopes: int, intercept: int, samples: int) -> tuple[int, ...]:
    """The axes of predictions that share one entry of an intercept, from the numbers of axes."""
    return (samples - 1,) if intercept == slopes - 1 else tuple(range(slopes))


def _is_touchable(f: Smooth, part: Leafwise) -> bool:
    """Whether Aᵀ slopes can be any gradient, and the prox is exact."""
    rows, features = f.data[0].shape[-2:]
    return part.convex and not part.iterative and rows >= features and f.risk.loss.smooth


def _plain_intercept(f: Smooth, parts: Sequence[Leafwise | None], held: frozenset[int], params: PyTree) -> int | None:
    """The leaf that is the free intercept of every task and output, which balancing slopes makes feasible."""
    free = [i for i, name in enumerate(_tree.names(params)) if parts[i] is None and is_intercept(name)]
    if len(free) != 1 or free[0] in held or not f.risk.loss.separable:
        return None
    return free[0]


def _asked(part: Leafwise | None, x: Array, u: Array) -> _Ask | None:
    if part is None:
        return _Ask(lambda v: v, jnp.zeros_like(x))
    if not (part.dualisable or part.estimable):
        return _Ask(lambda v: v, u)
    if part.leaf_span(x) is x:
        return None

    def off(v: Array) -> Array:
        once = v - part.leaf_span(v)
        return once - part.leaf_span(once)  # what rounding left of the span in it

    return _Ask(off, jnp.zeros_like(x))


def _moved(
    f: Smooth,
    asks: Sequence[_Ask | None],
    params: PyTree,
    slopes: Array,
    pulled: PyTree,
    close: Array,
    axes: tuple[int, ...] | None,
) -> tuple[Array, Array]:
    """The slopes moved, and whether what is asked holds to the rounding of Aᵀ slopes; sums over `axes` are kept."""
    structure, (predictions, back) = jax.tree.structure(params), jax.vjp(f.predictions, params)
    weights = jnp.broadcast_to(f.rows_like(slopes), slopes.shape)
    if f.risk.loss.separable:
        weights = jax.jvp(jax.grad(f.value_at), (predictions,), (jnp.ones_like(predictions),))[1]

    def off(tree: PyTree) -> PyTree:
        pairs = zip(asks, jax.tree.leaves(tree), strict=True)
        return jax.tree.unflatten(structure, [jnp.zeros_like(v) if a is None else a.off(v) for a, v in pairs])

    zeros = jax.tree.leaves(_tree.zeros_like(params))
    aim = jax.tree.unflatten(structure, [x if a is None else a.aim for a, x in zip(asks, zeros, strict=True)])

    def missing(slopes: Array) -> PyTree:
        return off(_tree.add_scale(_tree.add_scale(pulled, 1.0, back(slopes)[0]), 1.0, aim))

    def change(v: PyTree) -> Array:
        z = f.predictions(off(v))
        if axes is not None:
            total = jnp.sum(weights, axes, keepdims=True)
            z = z - jnp.sum(weights * z, axes, keepdims=True) / jnp.where(total > 0, total, 1.0)
        return weights * z

    bend = off(_through(f, jnp.square, params, weights))
    unit = jax.tree.map(lambda d: jax.lax.rsqrt(jnp.where(d > 0, d, 1.0)), bend)

    def apply(v: PyTree) -> PyTree:
        return jax.tree.map(jnp.multiply, unit, off(back(change(jax.tree.map(jnp.multiply, unit, v)))[0]))

    tol, slack = float(jnp.finfo(slopes.dtype).eps) ** 0.5, _SLACK * float(jnp.finfo(slopes.dtype).eps)

    def settled(slopes: Array, left: PyTree) -> Array:
        sizes = jax.tree.map(lambda a, b: a + jnp.abs(b), _through(f, jnp.abs, params, jnp.abs(slopes)), pulled)
        held = jax.tree.map(lambda m, s: jnp.all(jnp.abs(m) <= slack * jnp.abs(s)), left, off(sizes))
        return jnp.all(jnp.stack(jax.tree.leaves(held)))

    def nearer(_: int, slopes: Array) -> Array:
        left = missing(slopes)
        going = close & ~settled(slopes, left)
        right = jax.tree.map(lambda x, s: jnp.where(going, s * x, 0.0), left, unit)
        v, _ = jax.scipy.sparse.linalg.cg(apply, right, tol=tol, maxiter=_CG_STEPS)
        return slopes - change(jax.tree.map(jnp.multiply, unit, v))

    slopes = jax.lax.fori_loop(0, _PASSES, nearer, slopes)
    return slopes, close & settled(slopes, missing(slopes))


def _through(f: Smooth, change: Callable[[Array], Array], params: PyTree, slopes: Array) -> PyTree:
    """Aᵀ slopes with every entry of A changed."""
    X, y = f.data
    return jax.vjp(lambda p: f.risk.predictions(p, (change(X), y)), params)[1](slopes)[0]
