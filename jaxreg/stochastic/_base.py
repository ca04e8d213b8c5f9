"""What a stochastic risk is: a risk that takes a key, and how one is built around another."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np

from jaxreg import _tree
from jaxreg._typing import Array, ArrayLike, Data, PyTree
from jaxreg.penalties._leaf import is_intercept
from jaxreg.risk import MultitaskRisk, Risk, weighted


class Pass(NamedTuple):
    """One pass through a risk: predictions, the data they are judged by, and weights that sum to 1."""

    predictions: Array
    data: Data
    rows: Array


class Stochastic:
    """Base of the stochastic risks: (params, data, weights=None, *, key=None) -> number.

    The same key gives the same number; without a key it is the risk inside, undisturbed. A subclass has a field `risk`,
    a `jaxreg.risk(...)`, `jaxreg.multitask(...)` or another stochastic risk, and states `perturb`; what is outermost
    acts first. A batch of keys is a `vmap`; add a penalty as `risk(...) + penalty.value(params)` or by its prox.
    """

    risk: Any

    def perturb(self, params: PyTree, data: Data, weights: Any, key: Array) -> tuple[PyTree, Data, Any]:
        """Parameters, data and weights as the risk inside is to see them."""
        raise NotImplementedError

    def __call__(
        self, params: PyTree, data: Data, weights: ArrayLike | None = None, *, key: Array | None = None
    ) -> Array:
        """The risk, a number."""
        if key is None:
            return self.risk(params, data, weights)
        own, rest = jax.random.split(key)
        seen = self.perturb(params, data, weights, own)
        return self.risk(*seen, key=rest) if isinstance(self.risk, Stochastic) else self.risk(*seen)

    def sample(self, params: PyTree, data: Data, weights: Any, key: Array | None) -> Pass:
        """One pass, undisturbed without a key."""
        own, rest = (None, None) if key is None else jax.random.split(key)
        seen = (params, data, weights) if own is None else self.perturb(params, data, weights, own)
        return sample(self.risk, *seen, rest)

    @property
    def mixes(self) -> bool:
        """Whether rows are mixed with each other anywhere inside."""
        return isinstance(self.risk, Stochastic) and self.risk.mixes

    @property
    def base(self) -> Any:
        """The risk inside all stochastic ones."""
        return self.risk.base if isinstance(self.risk, Stochastic) else self.risk


def sample(risk: Any, params: PyTree, data: Data, weights: Any, key: Array | None) -> Pass:
    """One pass through a risk of either kind."""
    if isinstance(risk, Stochastic):
        return risk.sample(params, data, weights, key)
    return Pass(risk.predictions(params, data), data, risk.row_weights(data, weights))


def score(risk: Any, seen: Pass) -> Array:
    """The risk of one pass, a number."""
    return weighted(seen.rows, risk.losses(seen.predictions, seen.data, seen.rows))


def chosen(tree: PyTree, glob: str | None, where: str) -> tuple[bool, ...]:
    """For every leaf whether it matches; without a glob all leaves but intercepts do."""
    names = _tree.names(tree)
    if glob is None:
        return tuple(not is_intercept(name) for name in names)
    hits = set(_tree.matching(names, glob, f"{where}(on={glob!r})"))
    return tuple(name in hits for name in names)


def check_risk(where: str, risk: Any) -> None:
    """Raise TypeError for what is no risk."""
    if not isinstance(risk, (Stochastic, Risk, MultitaskRisk)):
        raise TypeError(f"{where}: risk is {type(risk).__name__}, expected jaxreg.risk(...) or a stochastic risk.")


def check_number(where: str, name: str, value: Any, low: float, high: float) -> None:
    """Raise ValueError unless a concrete number lies in [low, high)."""
    if not isinstance(value, jax.core.Tracer) and not np.all((np.asarray(value) >= low) & (np.asarray(value) < high)):
        raise ValueError(f"{where}: {name} is {value!r}, expected {low:g} <= {name} < {high:g}.")
