"""When the prox of a sum is known in closed form: one row per theorem, decided on declared traits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import jax
import jax.numpy as jnp

from jaxreg._typing import Array


class Part(Protocol):
    """What the rules need of a penalty on one leaf."""

    homogeneous: bool
    elementwise: bool
    even: bool
    uniform: bool
    comonotone: bool
    radial: bool
    indicator: bool
    quadratic: bool
    convex: bool
    metric: bool
    smooth: bool
    gauge: bool
    centred: bool
    composed: bool

    def leaf_prox(self, x: Array, step: Any) -> Array: ...
    def leaf_quadratic(self, x: Array) -> tuple[Array, Array]: ...
    def leaf_value(self, x: Array) -> Array: ...
    def leaf_terms(self, x: Array) -> Array: ...
    def leaf_conjugate(self, u: Array) -> Array: ...
    def leaf_dual_terms(self, u: Array) -> Array: ...
    def leaf_spread(self, terms: Array, x: Array) -> Array: ...


P = TypeVar("P", bound=Part)


class Rule(NamedTuple):
    """A theorem: when it applies to a list of parts, composed in `order`, and whether also in a diagonal metric."""

    name: str
    source: str
    applies: Callable[[Sequence[Part]], bool]
    metric: bool = True


def _shrink(p: Part) -> bool:
    return p.elementwise and not p.indicator


def _interval(p: Part) -> bool:
    return p.elementwise and p.indicator and p.convex


def is_line(p: Part) -> bool:
    """Whether a part is a function max(ax, -bx) of every entry."""
    return p.elementwise and p.homogeneous and p.convex


def _joined(p: Part) -> bool:
    return p.even and p.convex and not p.elementwise


RULES = (
    Rule(
        "one part",
        "definition",
        lambda ps: len(ps) == 1,
    ),
    Rule(
        "interval after elementwise",
        "a convex function of one variable restricted to an interval: clip its prox "
        "(Combettes and Pesquet 2007, Prop. 12)",
        lambda ps: all(_interval(p) or (_shrink(p) and p.convex) for p in ps) and sum(_shrink(p) for p in ps) <= 1,
    ),
    Rule(
        "elementwise gauges",
        "functions max(ax, -bx) of one variable: prox_{f+h} = prox_f o prox_h where f is least at zero, so that its "
        "prox changes no sign (Yu 2013, Theorem 4 with h homogeneous); the only one that is not goes first",
        lambda ps: (
            all(is_line(p) or _interval(p) for p in ps) and sum(not _interval(p) and not p.centred for p in ps) < 2
        ),
    ),
    Rule(
        "even after cones",
        "a function even in every entry and least where it is zero, on half-lines: project, then its prox. Where x is "
        "in the half-line |z| sign(x) is no worse than z, so the bound is idle; elsewhere zero is nearest and least",
        lambda ps: sum(p.even for p in ps) == 1 and all(p.even or (_interval(p) and p.homogeneous) for p in ps),
    ),
    Rule(
        "even after homogeneous",
        "a convex function even in every entry keeps signs and zeros, so the subgradients of max(ax, -bx) of every "
        "entry: its prox after theirs (Yu 2013, Theorem 1)",
        lambda ps: sum(_joined(p) for p in ps) == 1 and all(_joined(p) or is_line(p) for p in ps),
    ),
    Rule(
        "radial after homogeneous",
        "a function of Euclidean norms after a positively homogeneous one (Yu 2013, Theorem 4)",
        lambda ps: sum(p.radial for p in ps) == 1 and all(p.radial or is_line(p) for p in ps),
    ),
    Rule(
        "uniform after comonotone",
        "one monotone map of all entries keeps their order, so the subgradients of a total variation: its prox, then "
        "that of one convex function of every entry (Friedman et al. 2007, Prop. 1; Yu 2013)",
        lambda ps: (
            sum(p.comonotone for p in ps) == 1
            and all(p.comonotone or (p.uniform and p.convex) for p in ps)
            and find([p for p in ps if not p.comonotone]) is not None
        ),
        metric=False,
    ),
)


def find(parts: Sequence[Part]) -> Rule | None:
    """The first theorem that gives the prox of the sum of non-quadratic parts on one leaf."""
    if any(p.composed for p in parts):
        return None
    return next((rule for rule in RULES if rule.applies(parts)), None)


def in_metric(parts: Sequence[Part]) -> bool:
    """Whether the non-quadratic parts on one leaf have a prox in a diagonal metric."""
    rule = find(parts) if parts else RULES[0]
    return rule is not None and rule.metric and all(p.metric for p in parts)


def exact(parts: Sequence[Part], x: Array) -> bool:
    """Whether the prox of the sum on one leaf is known."""
    rest = [p for p in parts if not p.quadratic]
    if rest and find(rest) is None:
        return False
    curvature = jax.eval_shape(lambda v: split(parts, v)[1], x)
    return not curvature.ndim or in_metric(rest)


def groups(parts: Sequence[P], x: Array) -> list[list[P]]:
    """Parts gathered, each where it first fits, into groups with an exact prox.

    The first group's prox is what a split problem returns: sets and one-sided functions lead, that it may be in their
    domain, and smooth functions come last, that it may have the zeros of the others. It answers for whatever gradient
    the other groups leave, so that differences, whose conjugates hold on a subspace, are not in it.
    """
    made: list[list[P]] = []
    for part in sorted((p for p in parts if not p.composed), key=_rank):
        home = next((g for g in made if exact([*g, part], x)), None)
        if home is None:
            made.append([part])
        else:
            home.append(part)
    return made


def _rank(part: Part) -> int:
    if part.indicator:
        return 0
    if part.elementwise and not (part.even or part.smooth):
        return 1
    return 4 if part.smooth else 3 if part.homogeneous and not part.gauge else 2


def order(part: Part) -> int:
    """Total variation, convex shrinkages (to elsewhere than zero first), intervals, the rest, norms of groups."""
    if part.comonotone or part.radial:
        return 0 if part.comonotone else 5
    coupled = part.even and not part.elementwise
    return 4 if coupled or not part.convex else 3 if part.indicator else 1 + part.centred


def split(parts: Sequence[Part], x: Array) -> tuple[list[Part], Array, Array]:
    """Separate quadratics: the other parts in composing order, total curvature c and centre b, numbers or like x."""
    rest = sorted((p for p in parts if not p.quadratic), key=order)
    pairs = [p.leaf_quadratic(x) for p in parts if p.quadratic]
    curvature = pull = target = jnp.zeros((), x.dtype)
    fixed = jnp.zeros((), bool)
    for c, b in pairs:
        curvature = curvature + c
        rigid = jnp.isinf(c)
        pull = pull + jnp.where(rigid, 0.0, jnp.where(rigid, 0.0, c) * b)
        fixed, target = fixed | rigid, jnp.where(rigid, b, target)
    safe = jnp.where(fixed | (curvature == 0), 1.0, curvature)
    return rest, curvature, jnp.where(fixed, target, pull / safe)


def prox_sum(parts: Sequence[Part], x: Array, step: Array) -> Array:
    """Prox of a sum on one leaf.

    A quadratic c/2‖x - b‖² is absorbed: prox_{t(g+q)}(x) = prox_{t/(1+tc) g}((x + t c b)/(1 + t c)) (Combettes and
    Pesquet 2007, Table I), the others compose by the rule that `find` gives. Raises TypeError where there is none.
    """
    rest, curvature, centre = split(parts, x)
    if rest and find(rest) is None:
        two = len(groups(parts, x)) == 2 and not any(p.composed for p in parts)
        raise TypeError(
            f"No exact prox is known for the sum {' + '.join(map(repr, parts))} on one array. Sums that have one: "
            "parts on different leaves, Ridge with anything, intervals with one elementwise penalty, L1 then a group "
            "norm, total variation then L1. Put the parts on separate leaves with .on(...), or solve with "
            f"{'DavisYin(), ' * two}ADMM() or PDHG(), or with solver='auto'."
        )
    if len(rest) < len(parts):
        if curvature.ndim and not in_metric(rest):
            raise TypeError(f"{rest!r} has no prox in a diagonal metric: give the quadratic part a single strength.")
        x, step = absorb(x, step, curvature, centre)
    for p in rest:
        x = p.leaf_prox(x, step)
    return x


def absorb(x: Array, step: Array, c: Array, b: Array) -> tuple[Array, Array]:
    """The point and step at which the rest is to be evaluated once c/2‖x - b‖² has been absorbed."""
    if step.ndim or c.ndim:
        step, c = jnp.broadcast_to(step, x.shape), jnp.broadcast_to(c, x.shape)
    rigid = (jnp.isinf(c) | jnp.isinf(step)) & (c > 0)
    loose = rigid | (c == 0)
    weight = jnp.where(loose, 0.0, jnp.where(loose, 0.0, step) * jnp.where(loose, 0.0, c))
    limit = 1 / jnp.where(rigid, c, 1.0)
    moved = jnp.where(rigid, b, (x + weight * b) * (1 / (1 + weight)))
    return moved, jnp.where(rigid, limit, step / (1 + weight))
