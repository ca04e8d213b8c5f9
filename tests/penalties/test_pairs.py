"""Pairs of the zoo whose sum has a prox by the rule table: no competitor beats it, in either order.

A term is compiled once and serves all its pairs: sums are composed of compiled proxes, outside of `jit`.
"""

from itertools import combinations
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxreg as jr
import laws
import zoo
from jaxreg.penalties import _rules
from jaxreg.penalties._sum import Sum
from jaxreg.penalties._wrapped import inherited
from members._member import MATRIX, VECTOR, Member

COUNT, PAIRS = 4, 150
TILTED = Member("tilted", jr.Conjugate(jr.Box(0.2, 1.0)), VECTOR)  # has no least value: not for the other laws


def _traits(cls: type) -> type:
    for name in jr.Penalty.__annotations__:
        setattr(cls, name, inherited(name)[0])
    return cls


@jax.jit
def _prox(part: Any, x: Any, step: Any) -> Any:
    return part.leaf_prox(x, step)


@jax.jit
def _quadratic(part: Any, x: Any) -> Any:
    return part.leaf_quadratic(x)


@jax.jit
def _values(part: Any, xs: Any) -> Any:
    return jax.vmap(part.leaf_total)(xs)


@jr.pytree
@_traits
class Compiled(jr.Leafwise):
    """A part with its methods compiled."""

    penalty: Any

    def leaf_prox(self, x, step):
        return _prox(self.penalty, x, step)

    def leaf_quadratic(self, x):
        return _quadratic(self.penalty, x)


def terms(member: Member) -> tuple[Compiled, ...]:
    (part,) = member.penalty.parts([""])
    return tuple(map(Compiled, part.terms if isinstance(part, Sum) else (part,)))


def pairs(form: Any, rng: np.random.Generator) -> list[tuple[str, tuple[Compiled, ...]]]:
    """A sample of the sums with a prox, each in an order that is drawn; what is least nowhere meets every other."""
    x, found = np.zeros(form), []
    members = [m for m in (TILTED, *zoo.PENALTIES) if m.form == form]
    drawn = list(combinations(rng.permutation(len(members)), 2))
    for i in rng.permutation(len(drawn)):
        one, other = (members[j] for j in rng.permutation(drawn[i]))
        parts = (*terms(one), *terms(other))
        if (len(found) < PAIRS or TILTED in (one, other)) and _rules.exact(parts, x):
            found.append((f"{one.name} + {other.name}", parts))
    return found


@pytest.mark.parametrize(("form", "least"), [(VECTOR, PAIRS), (MATRIX, 50)], ids=["vector", "matrix"])
def test_the_prox_of_a_pair_is_the_argmin(form: Any, least: int, x64):
    rng = np.random.default_rng(0)
    size = 10.0 ** rng.uniform(-1, 1, COUNT).reshape(-1, *[1] * len(form))
    xs, steps = size * rng.normal(size=(COUNT, *form)), 10.0 ** rng.uniform(-1, 1, COUNT)
    found, failed = pairs(form, rng), []
    assert len(found) >= least
    for name, parts in found:
        best = np.stack([_rules.prox_sum(parts, *map(jnp.asarray, point)) for point in zip(xs, steps, strict=True)])

        def value(zs: Any, parts: Any = parts) -> Any:
            return sum(_values(p.penalty, zs) for p in parts)

        def rival_value(zs: Any, value: Any = value) -> Any:
            return value(zs.reshape(-1, *form)).reshape(zs.shape[:2])

        try:
            laws.unbeaten(xs, steps, best, value, rival_value, np.float64)
        except AssertionError as error:
            failed.append(f"{name}: {error}")
    assert not failed, "\n".join(failed)
