"""The laws of penalties as functions: each raises AssertionError for a penalty that breaks it.

Bodies are compiled once per structure and evaluated on a batch of points; inequalities are judged in NumPy.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxreg as jr
import zoo
from jaxreg import _tree
from jaxreg.penalties._sum import Sum
from zoo import Member

COUNT, RIVALS = 12, 40
PLATFORMS = ("cpu", "cuda", "tpu")


@jax.jit
def proxes(g: Any, xs: Any, steps: Any) -> Any:
    return jax.vmap(g.prox)(xs, steps)


@jax.jit
def values(g: Any, xs: Any) -> Any:
    return jax.vmap(g.value)(xs)


@jax.jit
def rival_values(g: Any, xs: Any) -> Any:
    return jax.vmap(jax.vmap(g.value))(xs)


@jax.jit
def envelope_slopes(g: Any, xs: Any, steps: Any) -> Any:
    return jax.vmap(jax.grad(g.envelope))(xs, steps)


@jax.jit
def dual_proxes(g: Any, xs: Any, steps: Any) -> Any:
    return jax.vmap(g.prox_dual)(xs, steps)


@jax.jit
def duals(g: Any, us: Any) -> Any:
    return jax.vmap(g.dual)(us)


@jax.jit
def spans(g: Any, us: Any) -> Any:
    def one(u: Any) -> Any:
        parts = g.parts(_tree.names(u))
        leaves, structure = jax.tree.flatten(u)
        return jax.tree.unflatten(structure, [p.leaf_span(x) for p, x in zip(parts, leaves, strict=True)])

    return jax.vmap(one)(us)


@jax.jit
def conjugates(g: Any, us: Any) -> Any:
    return jax.vmap(g.conjugate)(us)


@jax.jit
def derivatives(g: Any, xs: Any, steps: Any) -> Any:
    """Gradients of the value, Jacobians of the prox in x, derivatives of its sum in the step and in g's leaves."""

    def one(x: Any, step: Any) -> Any:
        def total(g: Any, step: Any) -> Any:
            return sum(jnp.sum(z) for z in jax.tree.leaves(g.prox(x, step)))

        value, slope = jax.value_and_grad(g.value)(x)
        slope = jax.tree.map(lambda s: jnp.where(jnp.isinf(value), 0.0, s), slope)  # outside the domain
        return slope, jax.jacrev(g.prox)(x, step), jax.grad(total, (0, 1))(g, step)

    return jax.vmap(one)(xs, steps)


def eps(dtype: Any) -> float:
    return float(jnp.finfo(dtype).eps)


def flat(tree: Any, axes: int = 1) -> np.ndarray:
    """All entries of a batched tree as float64, behind its leading axes."""
    leaves = [np.asarray(x, np.float64) for x in jax.tree.leaves(tree)]
    return np.concatenate([x.reshape(*x.shape[:axes], -1) for x in leaves], -1)


def points(member: Member, dtype: Any, spread: float = 2.0, seed: int = 0) -> tuple[Any, np.ndarray]:
    rng = np.random.default_rng(seed)
    steps = 10.0 ** rng.uniform(-spread, spread, COUNT)
    return zoo.draw(member, rng, dtype, COUNT, spread), steps.astype(dtype)


def close(actual: Any, expected: Any, dtype: Any, scale: Any = 0.0, units: float = 64) -> None:
    """Equality to `units` of rounding, relative to the largest entry of each batch row and to `scale`."""
    a, b = flat(actual), flat(expected)
    size = np.maximum(np.maximum(np.abs(a).max(-1), np.abs(b).max(-1)), scale)[:, None]
    worst = np.max(np.abs(a - b) / np.where(size > 0, size, 1.0))
    assert worst <= units * eps(dtype), f"relative difference {worst:.1e}"


def law_argmin(member: Member, dtype: Any) -> None:
    """1: no competitor, near or far, has a smaller step·g(z) + ½‖z - x‖²."""
    xs, steps = points(member, dtype)
    best = proxes(member.penalty, xs, steps)
    unbeaten(xs, steps, best, lambda z: values(member.penalty, z), lambda z: rival_values(member.penalty, z), dtype)


def unbeaten(xs: Any, steps: np.ndarray, best: Any, value: Any, rival_value: Any, dtype: Any) -> None:
    """Whether no competitor for the proxes `best` of `xs` does better."""
    rng, x, p = np.random.default_rng(1), flat(xs), flat(best)
    count, norms = len(steps), np.linalg.norm(x, axis=-1)
    reach = 10.0 ** rng.uniform(-5, 0.5, RIVALS) * (rng.uniform(size=RIVALS) < 0.9)

    def rivals(z: Any, x: Any) -> np.ndarray:
        z, x = np.asarray(z)[:, None], np.asarray(x)[:, None]
        size = (norms[:, None] * reach).reshape(count, RIVALS, *[1] * (z.ndim - 2))
        noise = size * rng.normal(size=(count, RIVALS, *z.shape[2:])) * rng.integers(0, 2, z.shape)
        mixed = z + rng.uniform(-0.5, 1, noise.shape[:2] + (1,) * (z.ndim - 2)) * (x - z)
        made = np.where(rng.uniform(size=size.shape) < 0.5, z + noise, mixed)
        made[:, 0], made[:, 1] = x[:, 0], 0.0 * x[:, 0]
        return made.astype(dtype)

    others = jax.tree.map(rivals, best, xs)
    t, moved = steps.astype(np.float64), np.sum((p - x) ** 2, -1)
    mine = t * np.asarray(value(best), np.float64) + 0.5 * moved
    theirs = t[:, None] * np.asarray(rival_value(others), np.float64)
    theirs = theirs + 0.5 * np.sum((flat(others, 2) - x[:, None]) ** 2, -1)
    slack = 64 * eps(dtype) * (np.abs(mine) + np.sqrt(moved) * (norms + np.linalg.norm(p, axis=-1)))
    assert np.all(np.isfinite(mine)), "the prox leaves the domain"
    assert np.all(mine[:, None] <= theirs + slack[:, None]), "a competitor beats the prox"


def law_scaling(member: Member, dtype: Any) -> None:
    """2: (c g).prox(x, t) equals g.prox(x, c t)."""
    xs, steps = points(member, dtype)
    for c in (0.25, 8.0):
        close(proxes(c * member.penalty, xs, steps), proxes(member.penalty, xs, c * steps), dtype, units=256)


def law_firm(member: Member, dtype: Any) -> None:
    """3: ‖p - q‖² <= <p - q, x - y> for the proxes p, q of x, y, if convex."""
    if not member.penalty.convex:
        return
    (xs, steps), (ys, _) = points(member, dtype, 1.0), points(member, dtype, 1.0, seed=2)
    p, q = (flat(proxes(member.penalty, z, steps)) for z in (xs, ys))
    x, y = flat(xs), flat(ys)
    inner = np.sum((p - q) * (x - y), -1)
    size = np.sum(x**2 + y**2 + p**2 + q**2, -1)
    assert np.all(np.sum((p - q) ** 2, -1) <= inner + 64 * eps(dtype) * size), "not firmly non-expansive"


def law_moreau(member: Member, dtype: Any) -> None:
    """4: x = prox_{tg}(x) + t prox_{g*/t}(x/t)."""
    xs, steps = points(member, dtype, 1.0)
    p = flat(proxes(member.penalty, xs, steps))
    over = jax.tree.map(lambda x: x / steps.reshape(-1, *[1] * (x.ndim - 1)), xs)
    u = flat(dual_proxes(member.penalty, over, 1 / steps))
    close(p + steps[:, None].astype(np.float64) * u, flat(xs), dtype, np.abs(p).max(-1), units=256)


def law_envelope(member: Member, dtype: Any) -> None:
    """5: the gradient of the envelope is (x - prox)/t."""
    xs, steps = points(member, dtype, 1.0)
    p = flat(proxes(member.penalty, xs, steps))
    t = steps[:, None].astype(np.float64)
    slopes = flat(envelope_slopes(member.penalty, xs, steps))
    scale = (np.abs(flat(xs)).max(-1) + np.abs(p).max(-1)) / steps
    close(slopes, (flat(xs) - p) / t, dtype, scale, units=512)


def law_transforms(member: Member, dtype: Any) -> None:
    """6: jit = eager, vmap = loop, the dtype kept, scalars of every make alike."""
    g = member.penalty
    xs, steps = points(member, dtype, 1.0)
    batch, totals = proxes(g, xs, steps), values(g, xs)
    for i in (0, COUNT - 1):
        x = jax.tree.map(lambda leaf, i=i: leaf[i], xs)
        p, v = g.prox(x, steps[i]), g.value(x)
        assert all(leaf.dtype == dtype for leaf in jax.tree.leaves((p, v))), "dtype not kept"
        lift = jax.tree.map(lambda leaf: leaf[None], p)
        close(lift, jax.tree.map(lambda leaf, i=i: leaf[i : i + 1], batch), dtype)
        assert v == totals[i] or abs(float(v - totals[i])) <= 64 * eps(dtype) * abs(float(v))
    x = jax.tree.map(lambda leaf: leaf[0], xs)
    alike = (2, 2.0, np.float32(2), np.float64(2), np.int64(2), jnp.asarray(2.0), jnp.asarray(2))
    first = flat(g.prox(x, alike[0]), 0), flat((alike[0] * g).prox(x, 0.5), 0)
    for s in alike[1:]:
        for made, expected in zip((g.prox(x, s), (s * g).prox(x, 0.5)), first, strict=True):
            assert all(leaf.dtype == dtype for leaf in jax.tree.leaves(made)), f"dtype not kept by {s!r}"
            assert np.array_equal(flat(made, 0), expected), f"{s!r} differs"


def law_gradients(member: Member, dtype: Any) -> None:
    """7: derivatives are finite everywhere: at zero, kinks, equal singular values and step 0 too."""
    g = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), member.penalty)
    rng = np.random.default_rng(0)
    eye = jax.tree.map(lambda x: np.eye(*x.shape, dtype=dtype) if x.ndim == 2 else x, zoo.fill(member, dtype, -0.0))
    fixed = [zoo.fill(member, dtype, v) for v in (0.0, 1.0, -1.0, 0.5, 0.7)] + [eye]
    drawn = zoo.draw(member, rng, dtype, 6, 1.0)
    stacked = jax.tree.map(lambda *xs: np.concatenate([np.stack(xs[:-1]), xs[-1]]), *fixed, drawn)
    for step in (1.0, 0.0, 2.0):
        found = derivatives(g, stacked, np.full(12, step, dtype))
        assert all(np.isfinite(x).all() for x in jax.tree.leaves(found)), f"not finite at step {step}"


def law_trees(member: Member, dtype: Any) -> None:
    """8: a tree is the sum of its leaves; an intercept is left alone unless named by `.on`."""
    if isinstance(member.form, dict):
        return
    g = member.penalty
    a, b, c = (zoo.draw(member, np.random.default_rng(i), dtype, COUNT, 0.5) for i in range(3))
    tree = {"a": a, "b": {"c": b, "intercept": c}}
    steps = np.full(COUNT, 0.7, dtype)
    moved, total = proxes(g, tree, steps), np.asarray(values(g, tree))
    parts = {"a": proxes(g, a, steps), "b": {"c": proxes(g, b, steps), "intercept": c}}
    for made, part in zip(*map(jax.tree.leaves, (moved, parts)), strict=True):
        close(made, part, dtype)  # two programs, and each rounds in its own way
    assert np.array_equal(moved["b"]["intercept"], c)
    expected = np.asarray(values(g, a)) + np.asarray(values(g, b))
    np.testing.assert_allclose(total, expected, rtol=64 * eps(dtype))
    named = proxes(g.on("b/intercept"), tree, steps)
    assert np.array_equal(named["a"], a) and np.array_equal(named["b"]["c"], b)
    close(named["b"]["intercept"], proxes(g, c, steps), dtype)


def law_one_trace(member: Member, dtype: Any) -> None:
    """9: strengths and steps of every make share one trace."""
    traces = []

    @jax.jit
    def counted(g: Any, x: Any) -> Any:
        traces.append(1)
        return g.prox(x, jnp.asarray(0.5, dtype))

    x = zoo.fill(member, dtype, 1.0)
    for strength in (0.1, np.float32(0.2), np.float64(0.3), jnp.asarray(0.4), 1, np.int64(2)):
        counted(_tree.cast(strength * member.penalty, dtype), x)
    assert len(traces) == 1, f"{len(traces)} traces"


def law_lowers(member: Member, dtype: Any) -> None:
    """10: the prox lowers for cpu, cuda and tpu."""
    x = zoo.fill(member, dtype, 1.0)
    made = jax.export.export(jax.jit(lambda g, x, t: g.prox(x, t)), platforms=PLATFORMS)
    assert made(_tree.cast(member.penalty, dtype), x, jnp.ones((), dtype)).platforms == PLATFORMS


def acting(member: Member, dtype: Any) -> list[Any]:
    """The parts that act on the leaves, None for a leaf left alone."""
    return list(member.penalty.parts(_tree.names(zoo.fill(member, dtype, 0.0))))


def law_dual(member: Member, dtype: Any) -> None:
    """11: <u, x> <= g(x) g°(u) for a gauge, with g° = 1 at subgradients; Fenchel-Young for a known conjugate."""
    g, parts = member.penalty, acting(member, dtype)
    if any(p is None for p in parts):
        return
    xs, steps = points(member, dtype, 0.5)
    p = proxes(g, xs, steps)
    us = jax.tree.map(lambda x, z: (x - z) / steps.reshape(-1, *[1] * (x.ndim - 1)), xs, p)
    away = zoo.draw(member, np.random.default_rng(5), dtype, COUNT, 0.5)
    rough = 1e3 * eps(dtype)
    if all((p.gauge and p.homogeneous) or p.seminorm for p in parts):
        tops, inner = np.asarray(duals(g, us), np.float64), np.sum(flat(us) * flat(away), -1)
        sizes = np.asarray(values(g, away), np.float64)
        assert np.all(inner <= np.where(np.isinf(sizes), np.inf, sizes * tops) * (1 + rough) + rough)
        kept = np.asarray(values(g, p)) > 1e-3
        assert kept.any() and np.all(np.abs(tops[kept] - 1) <= rough), "the dual is not 1 at a subgradient"
    if all(p.dualisable for p in parts):
        spanned = spans(g, us)
        large = np.abs(flat(us)).max(-1) + np.abs(flat(xs) / steps[:, None]).max(-1)
        assert np.all(np.abs(flat(spanned) - flat(us)).max(-1) <= 64 * eps(dtype) * large), (
            "a subgradient is off the span"
        )
        inside = jax.tree.map(lambda u: u * np.asarray(1 - rough, u.dtype), spanned)
        stars = np.asarray(conjugates(g, inside), np.float64)
        inner = np.sum(flat(inside) * flat(p), -1)
        here, there = (np.asarray(values(g, z), np.float64) for z in (p, away))
        assert np.all(np.isfinite(stars)), "the conjugate is infinite at a subgradient"
        slack = 4 * rough * (np.abs(here) + np.abs(stars) + np.sum(np.abs(flat(us) * flat(p)), -1) + 1e-3)
        assert np.all(np.abs(here + stars - inner) <= slack), "Fenchel's equality fails at a subgradient"
        assert np.all(there + stars >= np.sum(flat(inside) * flat(away), -1) - slack), "Fenchel-Young fails"


class _Counter:
    traces = 0


@jr.pytree
class Counted(jr.Squared):
    """Squared loss that counts how often it is traced."""

    def __call__(self, prediction: Any, target: Any) -> Any:
        _Counter.traces += 1
        return super().__call__(prediction, target)


@jax.jit
def residuals(risk: Any, g: Any, params: Any, data: Any, step: Any) -> Any:
    return g.residual(params, jax.grad(risk)(params, data), step)


def law_certificate(member: Member, dtype: Any) -> None:
    """9 and 11: one trace serves every strength; the gap is in [0, tol] and bounds the true suboptimality."""
    risk, data, init = zoo.problem(member, Counted(), dtype)
    g, solver = member.penalty, jr.FISTA()

    def fit(strength: Any, tol: float) -> Any:
        return jr.minimize(risk, strength * g, init, data, solver=solver, tol=tol, on_fail="ignore")

    tol = 1e-3
    first = fit(0.1, tol)
    before = _Counter.traces
    sols = [fit(s, tol) for s in (np.float32(0.3), jnp.asarray(0.02), 1)]
    best = fit(0.1, 1e-4 if dtype == np.float32 else 1e-12)
    checks = 4 * 2  # the boundary evaluates shapes once per call
    assert _Counter.traces <= before + checks, "a strength compiled anew"
    for sol in (first, *sols, best):
        assert sol.status == jr.Status.CONVERGED and 0 <= sol.gap <= tol
    parts = acting(member, dtype)
    if all(p is not None and p.dualisable for p in parts) and risk.predict is jr.linear and spans_all(member, dtype):
        start = float((0.1 * g).value(init))
        zero = float(risk(init, data)) + (start if np.isfinite(start) else 0.0)  # zero may be outside a set
        slack = 64 * eps(dtype) * zero
        assert float(first.value - best.value) <= float(first.gap) * zero + slack, "the gap is no bound"
        curvature = sum(np.linalg.norm(X, 2) ** 2 for X in np.atleast_3d(data[0].T).T) / zoo.ROWS
        for sol in (first, best):
            moved = residuals(risk, 0.1 * g, sol.params, data, 1 / curvature)
            square = sum(float(np.sum(np.square(x, dtype=float))) for x in jax.tree.leaves(moved))
            bound = 2 * curvature * (float(sol.gap) * zero + slack)
            assert square <= bound, "the gap is below what the prox-gradient step can still gain"


def spans_all(member: Member, dtype: Any) -> bool:
    """Whether the conjugate is finite on an open set, so that a penalty alone has a duality gap."""
    us, _ = points(member, dtype)
    return np.array_equal(flat(spans(member.penalty, us)), flat(us))


def law_repr(member: Member, dtype: Any) -> None:
    """12: `repr` evals back to the same penalty."""
    scope = {**vars(jr), "array": np.array, "inf": np.inf, "float32": np.float32}
    made = eval(repr(member.penalty), scope)
    assert repr(made) == repr(member.penalty)
    xs, steps = points(member, dtype, 1.0)
    close(proxes(made, xs, steps), proxes(member.penalty, xs, steps), dtype)


def law_ends(member: Member, dtype: Any) -> None:
    """13: strength 0 and step 0 leave the domain alone; strength infinity is the limit of large ones, dual and all."""
    xs, steps = points(member, dtype, 0.5)
    ones = np.ones_like(steps)
    inside = proxes(member.penalty, xs, steps)
    still = proxes(member.penalty, inside, np.zeros_like(steps))
    assert np.array_equal(flat(still), flat(inside)), "a step of 0 moves a point of the domain"
    close(proxes(0.0 * member.penalty, inside, ones), inside, dtype, units=256)
    if isinstance(member.penalty, Sum) and not member.penalty.centred:
        return  # infinite strengths on terms with different minimisers contradict each other
    limit = proxes(np.inf * member.penalty, xs, ones)
    assert np.isfinite(flat(limit)).all(), "not finite at an infinite strength"
    large = proxes(float(0.01 / eps(dtype)) * member.penalty, xs, ones)
    size = np.abs(flat(xs)).max(-1)
    assert np.all(np.abs(flat(limit) - flat(large)) <= 1e5 * eps(dtype) * size[:, None]), "infinity is not the limit"
    forbidding = np.inf * member.penalty
    if all(p is not None and p.dualisable for p in acting(member._replace(penalty=forbidding), dtype)):
        stars = np.asarray(conjugates(forbidding, xs), np.float64)
        room = 1e3 * eps(dtype) * (1 + np.sum(np.square(flat(xs)), -1))
        assert np.all(stars >= np.sum(flat(xs) * flat(limit), -1) - room), "Fenchel-Young fails at infinity"
        normal = spans(forbidding, jax.tree.map(lambda x, z: x - z, xs, limit))
        stars, along = np.asarray(conjugates(forbidding, normal), np.float64), np.sum(flat(normal) * flat(limit), -1)
        assert np.all(np.abs(stars - along) <= room), "the conjugate is no support function at infinity"


def law_sizes(member: Member, dtype: Any) -> None:
    """14: inputs of scale 1e±9 stay finite; of a homogeneous penalty the prox of sx at st is s times that of x at t."""
    xs, steps = points(member, dtype, 0.5)
    base = flat(proxes(member.penalty, xs, steps))
    for s in (1e9, 1e-9):
        moved = jax.tree.map(lambda x, s=s: (s * x).astype(dtype), xs)
        for t in (1e-9, 1.0, 1e9):
            found = flat(proxes(member.penalty, moved, np.full_like(steps, t)))
            assert np.isfinite(found).all(), f"not finite at scale {s} and step {t}"
        if homogeneous(member, dtype):
            scaled = flat(proxes(member.penalty, moved, (s * steps).astype(dtype)))
            close(scaled / s, base, dtype, np.abs(flat(xs)).max(-1), units=256)


def homogeneous(member: Member, dtype: Any) -> bool:
    return all(p is None or p.homogeneous for p in acting(member, dtype))


def planted(xs: Any, values: Any) -> Any:
    """The points with the second entry of their first leaf replaced."""
    out = jax.tree.map(np.array, xs)
    jax.tree.leaves(out)[0].reshape(COUNT, -1)[:, 1] = values
    return out


def law_nan(member: Member, dtype: Any) -> None:
    """15: a NaN is never turned into a number."""
    xs, steps = points(member, dtype, 0.5)
    bad = planted(xs, np.nan)
    moved = np.asarray(jax.tree.leaves(proxes(member.penalty, bad, steps))[0])
    assert np.isnan(moved.reshape(COUNT, -1)[:, 1]).all(), "the prox turns NaN into a number"


def law_infinite(member: Member, dtype: Any) -> None:
    """16: beside an infinite entry of x every entry of the prox is NaN, or the limit as that entry grows."""
    xs, steps = points(member, dtype, 0.5)

    def moved(far: float) -> np.ndarray:
        return flat(proxes(member.penalty, planted(xs, np.where(np.arange(COUNT) % 2, -far, far)), steps))

    large, at = 1e-2 / eps(dtype), moved(np.inf)
    near, far = moved(large / 8), moved(large)
    grows = np.abs(far - near) > 1e-6 * large
    assert np.all(np.isnan(at) | (np.isinf(at) == grows)), "finite where the limit is not, or infinite where it is"
    still = np.isfinite(at)
    assert np.all(np.abs(far - at)[still] <= 0.1 * (1 + np.abs(far[still]))), "not the limit"


def law_low_precision(member: Member, dtype: Any) -> None:
    """17: bfloat16 and float16 are kept, and zeros stay exact: the result is that of float32, rounded."""
    xs, steps = points(member, dtype, 0.5)
    for low in (jnp.bfloat16, jnp.float16):
        short = jax.tree.map(lambda x, low=low: jnp.asarray(x, low), xs)
        steps_low = jnp.asarray(steps, low)
        made = proxes(member.penalty, short, steps_low)
        assert all(x.dtype == low for x in jax.tree.leaves(made)), f"{low.__name__} is not kept"
        wide = proxes(member.penalty, jax.tree.map(lambda x: np.asarray(x, dtype), short), np.asarray(steps_low, dtype))
        a, b = flat(made), flat(wide)
        assert np.all(a[b == 0] == 0), f"{low.__name__} loses zeros"
        close(made, wide, low, units=1)


def law_leaves(member: Member, dtype: Any) -> None:
    """18: leaves of several dtypes keep their own; an empty leaf is left as it is and counts nothing."""
    if isinstance(member.form, dict):
        return
    g, other = member.penalty, np.dtype("float32" if dtype == np.float64 else "float16")
    x = zoo.draw(member, np.random.default_rng(3), dtype, 1, 0.5)[0]
    tree = {"a": x, "b": x.astype(other)}
    moved = g.prox(tree, 0.7)
    assert moved["a"].dtype == dtype and moved["b"].dtype == other, "a leaf's dtype is not kept"
    close(moved["a"][None], g.prox(x, 0.7)[None], dtype)
    close(moved["b"][None], g.prox(x.astype(other), 0.7)[None], other)
    if not member.sized and not any(np.ndim(leaf) for leaf in jax.tree.leaves(g)):
        empty = np.zeros((0,) * len(member.form), dtype)
        assert g.prox(empty, 0.7).shape == empty.shape and float(g.value(empty)) == 0


LAWS = (
    law_argmin,
    law_scaling,
    law_firm,
    law_moreau,
    law_envelope,
    law_transforms,
    law_gradients,
    law_trees,
    law_one_trace,
    law_lowers,
    law_dual,
    law_certificate,
    law_repr,
    law_ends,
    law_sizes,
    law_nan,
    law_infinite,
    law_low_precision,
    law_leaves,
)
SLOW = (law_certificate,)
ONCE = {law_trees: "float64", law_one_trace: "float64", law_lowers: "float64", law_repr: "float64"}
ONCE |= {law_infinite: "float64", law_low_precision: "float32"}
"""The laws that say the same in both precisions, and the one they are tested in."""
