"""The one registry of every public penalty, loss and solver, each with sample inputs from a small pool of shapes."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxreg as jr
from members import PENALTIES as PENALTIES
from members._member import DIRTY_TREE, LINEAR_TREE, VECTOR, Member

ROWS = 10


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
    "ISTA": lambda penalty, rate: jr.ISTA(),
    "PANOC": lambda penalty, rate: jr.PANOC(),
    "DavisYin": lambda penalty, rate: jr.DavisYin(),
    "DouglasRachford": lambda penalty, rate: jr.DouglasRachford(),
    "ADMM": lambda penalty, rate: jr.ADMM(),
    "PDHG": lambda penalty, rate: jr.PDHG(),
    "ProxSVRG": lambda penalty, rate: jr.ProxSVRG(jax.random.key(0)),
    "Optax": lambda penalty, rate: jr.Optax(optax.chain(optax.sgd(rate), jr.proximal(penalty, rate))),
}
"""Each takes the penalty and a step known to be safe; Newton and DouglasRachford serve squared loss only."""


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
