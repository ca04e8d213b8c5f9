"""The one registry of every public penalty, loss and solver, each with sample inputs from a small pool of shapes."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxreg as jr

VECTOR, MATRIX = (6,), (3, 4)
LINEAR_TREE = {"coef": (6,), "intercept": ()}
DIRTY_TREE = {"common": (3, 4), "own": (3, 4)}
ROWS = 10
inf = np.inf


class Member(NamedTuple):
    """A penalty and the form of what it penalises: a shape, or a dictionary of shapes."""

    name: str
    penalty: jr.Penalty
    form: Any


PER_FEATURE = np.array([0.0, 0.5, 1.0, 2.0])
PER_ENTRY = np.array([0.0, 0.5, 1.0, 2.0, inf, 0.1])
PER_TASK = np.array([[0.0], [0.7], [1.5]])
CENTRE = np.array([0.5, -1.0, 0.0, 2.0, -0.25, 1.0])

PENALTIES = (
    Member("l1", jr.L1(), VECTOR),
    Member("ridge", jr.Ridge(), VECTOR),
    Member("l2-all", jr.L2(), VECTOR),
    Member("l2-rows", jr.L2(axis=0), MATRIX),
    Member("nuclear", jr.Nuclear(), MATRIX),
    Member("nonnegative", jr.NonNegative(), VECTOR),
    Member("box", jr.Box(-1.0, 0.5), VECTOR),
    Member("box-arrays", jr.Box(-np.arange(6.0), np.arange(6.0) / 2), VECTOR),
    Member("tomean", jr.ToMean(), MATRIX),
    Member("scaled-l1", 0.7 * jr.L1(), VECTOR),
    Member("l1-per-entry", PER_ENTRY * jr.L1(), VECTOR),
    Member("ridge-per-task", PER_TASK * jr.Ridge(), MATRIX),
    Member("l2-per-feature", PER_FEATURE * jr.L2(axis=0), MATRIX),
    Member("scaled-tomean", 3.0 * jr.ToMean(axis=0), MATRIX),
    Member("elastic-net", 0.3 * jr.L1() + 0.5 * jr.Ridge(), VECTOR),
    Member("elastic-net-arrays", 0.3 * jr.L1() + PER_FEATURE * jr.Ridge(), MATRIX),
    Member("positive-lasso", 0.5 * jr.L1() + jr.NonNegative(), VECTOR),
    Member("sparse-group", 0.3 * jr.L1() + 0.6 * jr.L2(axis=0), MATRIX),
    Member("ridge-nuclear", 0.5 * jr.Ridge() + 0.4 * jr.Nuclear(), MATRIX),
    Member("shifted-l1", (0.5 * jr.L1()).shift(CENTRE), VECTOR),
    Member("shifted-ridge", 0.5 * jr.Ridge().shift(CENTRE), VECTOR),
    Member("l1-to-ridge-centre", 0.4 * jr.L1() + 0.5 * jr.Ridge().shift(CENTRE), VECTOR),
    Member("beside-intercept", 0.4 * jr.L1(), LINEAR_TREE),
    Member("on-intercept", 0.4 * jr.L1().on("coef") + 0.2 * jr.Ridge().on("intercept"), LINEAR_TREE),
    Member("dirty", 0.6 * jr.L2(axis=0).on("common") + 0.3 * jr.L1().on("own"), DIRTY_TREE),
)


class LossMember(NamedTuple):
    """A loss, a draw of targets (n, k) (labels (n,) for `Softmax`), and whether outputs are classes."""

    name: str
    loss: Any
    targets: Callable[[np.random.Generator, int, int], np.ndarray]


def _pseudo_huber(prediction: Any, target: Any) -> Any:
    return jnp.sqrt(1 + jnp.square(prediction - target)) - 1


def _normal(rng: np.random.Generator, n: int, k: int) -> np.ndarray:
    return rng.normal(size=(n, k))


LOSSES = (
    LossMember("squared", jr.Squared(), _normal),
    LossMember("huber", jr.Huber(), _normal),
    LossMember("huber-half", jr.Huber(delta=0.5), _normal),
    LossMember("logistic", jr.Logistic(), lambda rng, n, k: rng.integers(0, 2, (n, k)).astype(float)),
    LossMember("softmax", jr.Softmax(), lambda rng, n, k: rng.integers(0, k, n)),
    LossMember("poisson", jr.Poisson(), lambda rng, n, k: rng.poisson(2.0, (n, k)).astype(float)),
    LossMember("plain", jr.risk(jr.linear, _pseudo_huber).loss, _normal),
)

SOLVERS: dict[str, Callable[[jr.Penalty, float], Any]] = {
    "FISTA": lambda penalty, rate: jr.FISTA(),
    "Newton": lambda penalty, rate: jr.Newton(),
    "Optax": lambda penalty, rate: jr.Optax(optax.chain(optax.sgd(rate), jr.proximal(penalty, rate))),
}
"""Each takes the penalty and a step known to be safe; Newton serves squared loss only."""


def ids(members: Any) -> list[str]:
    return [member.name for member in members]


def draw(member: Member, rng: np.random.Generator, dtype: Any, count: int, spread: float = 2.0) -> Any:
    """`count` random parameters on a leading axis, each of its own scale within 10^±spread."""
    size = 10.0 ** rng.uniform(-spread, spread, count)
    return jax.tree.map(
        lambda shape: (size.reshape(-1, *[1] * len(shape)) * rng.normal(size=(count, *shape))).astype(dtype),
        member.form,
        is_leaf=_is_shape,
    )


def fill(member: Member, dtype: Any, value: float) -> Any:
    """Parameters of one value."""
    return jax.tree.map(lambda shape: np.full(shape, value, dtype), member.form, is_leaf=_is_shape)


def _is_shape(form: Any) -> bool:
    return isinstance(form, tuple)


class Problem(NamedTuple):
    """A small regression for a member's parameters."""

    risk: Any
    data: Any
    init: Any


def _dirty(params: Any, X: Any) -> Any:
    return jr.linear(params["common"] + params["own"], X)


def problem(member: Member, loss: Any, dtype: Any) -> Problem:
    """A noisy linear problem: one task for vectors, three tasks for matrices."""
    rng = np.random.default_rng(0)
    init = fill(member, dtype, 0.0)
    if member.form in (VECTOR, LINEAR_TREE):
        X = rng.normal(size=(ROWS, 6))
        y = X @ np.array([2.0, -1.0, 0.0, 0.0, 1.5, 0.3]) + 0.3 * rng.normal(size=ROWS)
        return Problem(jr.risk(jr.linear, loss), (X.astype(dtype), y.astype(dtype)), init)
    X = rng.normal(size=(3, ROWS, 4))
    y = X @ np.array([2.0, -1.0, 0.0, 0.5]) + 0.3 * rng.normal(size=(3, ROWS))
    joint = jr.multitask(jr.risk(_dirty if member.form == DIRTY_TREE else jr.linear, loss), axes=0)
    return Problem(joint, (X.astype(dtype), y.astype(dtype)), init)
