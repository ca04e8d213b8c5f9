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
    """A loss, a draw of targets (n, k) (labels (n,), or pairs), and how (n, k) numbers become scores it can take."""

    name: str
    loss: Any
    targets: Callable[[np.random.Generator, int, int], np.ndarray]
    scores: Callable[[np.ndarray], np.ndarray] = lambda z: z


def _pseudo_huber(prediction: Any, target: Any) -> Any:
    return jnp.sqrt(1 + jnp.square(prediction - target)) - 1


def _normal(rng: np.random.Generator, n: int, k: int) -> np.ndarray:
    return rng.normal(size=(n, k))


def _binary(rng: np.random.Generator, n: int, k: int) -> np.ndarray:
    return rng.integers(0, 2, (n, k)).astype(float)


def _labels(rng: np.random.Generator, n: int, k: int) -> np.ndarray:
    return rng.integers(0, k, n)


def _counts(rng: np.random.Generator, n: int, k: int) -> np.ndarray:
    return rng.poisson(2.0, (n, k)).astype(float)


def _positive(rng: np.random.Generator, n: int, k: int) -> np.ndarray:
    return rng.gamma(2.0, size=(n, k))


def _zero_or_positive(rng: np.random.Generator, n: int, k: int) -> np.ndarray:
    return rng.gamma(2.0, size=(n, k)) * rng.integers(0, 2, (n, k))


def _survival(rng: np.random.Generator, n: int, k: int) -> np.ndarray:
    """Times with ties, most of them events."""
    return np.stack([rng.integers(1, n, n), rng.random(n) < 0.7], -1).astype(float)


def _with_offset(rng: np.random.Generator, n: int, k: int) -> np.ndarray:
    return np.stack([_counts(rng, n, k), rng.normal(size=(n, k))], -1)


def _falling(z: np.ndarray) -> np.ndarray:
    """Scores that fall along a row, as `ordinal` makes them."""
    return (-np.sort(-z, -1) - 0.5 * np.arange(z.shape[-1])).astype(z.dtype)


def _one(z: np.ndarray) -> np.ndarray:
    return z[:, 0]


LOSSES = (
    LossMember("squared", jr.Squared(), _normal),
    LossMember("huber", jr.Huber(), _normal),
    LossMember("huber-half", jr.Huber(delta=0.5), _normal),
    LossMember("logistic", jr.Logistic(), _binary),
    LossMember("softmax", jr.Softmax(), _labels),
    LossMember("poisson", jr.Poisson(), _counts),
    LossMember("absolute", jr.Absolute(), _normal),
    LossMember("quantile", jr.Quantile(0.3), _normal),
    LossMember("epsilon-insensitive", jr.EpsilonInsensitive(0.1), _normal),
    LossMember("hinge", jr.Hinge(), _binary),
    LossMember("squared-hinge", jr.SquaredHinge(), _binary),
    LossMember("smooth-hinge", jr.SmoothHinge(0.5), _binary),
    LossMember("gamma", jr.Gamma(), _positive),
    LossMember("tweedie", jr.Tweedie(1.5), _zero_or_positive),
    LossMember("tweedie-poisson", jr.Tweedie(1.0), _counts),
    LossMember("tweedie-gamma", jr.Tweedie(2.0), _positive),
    LossMember("negative-binomial", jr.NegativeBinomial(0.5), _counts),
    LossMember("ordinal", jr.Ordinal(), lambda rng, n, k: rng.integers(0, k + 1, n), _falling),
    LossMember("cox-efron", jr.Cox(), _survival, _one),
    LossMember("cox-breslow", jr.Cox("breslow"), _survival, _one),
    LossMember("offset", jr.offset(jr.Poisson()), _with_offset),
    LossMember("label-smoothing", jr.label_smoothing(jr.Softmax(), 0.2), _labels),
    LossMember("label-smoothing-binary", jr.label_smoothing(jr.Logistic(), 0.2), _binary),
    LossMember("plain", jr.risk(jr.linear, _pseudo_huber).loss, _normal),
)

SOLVERS: dict[str, Callable[[jr.Penalty, float], Any]] = {
    "FISTA": lambda penalty, rate: jr.FISTA(),
    "Newton": lambda penalty, rate: jr.Newton(),
    "DampedNewton": lambda penalty, rate: jr.DampedNewton(),
    "ProximalNewton": lambda penalty, rate: jr.ProximalNewton(),
    "AndersonSplitting": lambda penalty, rate: jr.AndersonSplitting(),
    "ISTA": lambda penalty, rate: jr.ISTA(),
    "PANOC": lambda penalty, rate: jr.PANOC(),
    "DavisYin": lambda penalty, rate: jr.DavisYin(),
    "DouglasRachford": lambda penalty, rate: jr.DouglasRachford(),
    "ADMM": lambda penalty, rate: jr.ADMM(),
    "PDHG": lambda penalty, rate: jr.PDHG(),
    "ProxSVRG": lambda penalty, rate: jr.ProxSVRG(jax.random.key(0)),
    "Optax": lambda penalty, rate: jr.Optax(optax.chain(optax.sgd(rate), jr.proximal(penalty, rate))),
}
"""Each takes the penalty and a step known to be safe.

Newton, AndersonSplitting and DouglasRachford serve squared loss only, DampedNewton smooth penalties, ProximalNewton
elementwise ones.
"""


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
    """A noisy linear problem: one task for vectors, one per row for matrices."""
    rng = np.random.default_rng(0)
    init = fill(member, dtype, 0.0)
    if member.form in (VECTOR, LINEAR_TREE):
        X = rng.normal(size=(ROWS, 6))
        y = X @ np.array([2.0, -1.0, 0.0, 0.0, 1.5, 0.3]) + 0.3 * rng.normal(size=ROWS)
        return Problem(jr.risk(jr.linear, loss), (X.astype(dtype), y.astype(dtype)), init)
    tasks = 3 if isinstance(member.form, dict) else member.form[0]
    X = rng.normal(size=(tasks, ROWS, 4))
    y = X @ np.array([2.0, -1.0, 0.0, 0.5]) + 0.3 * rng.normal(size=(tasks, ROWS))
    joint = jr.multitask(jr.risk(_dirty if member.form == DIRTY_TREE else jr.linear, loss), axes=0)
    return Problem(joint, (X.astype(dtype), y.astype(dtype)), init)


# Defaults, but for what has none that fits four tasks.
WEIGHTINGS = [
    getattr(jr.weightings, name)() for name in jr.weightings.__all__ if name not in ("Weighting", "Stateful", "Rowwise")
]
