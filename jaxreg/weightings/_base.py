"""What a weighting is: a pure function from the Gramian of the task gradients to one weight per task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg import _tree
from jaxreg._typing import Array, ArrayLike, PyTree
from jaxreg.weightings._rows import gramian_of, weighted_sum


class Weighting:
    """Base of the weightings: (gramian (T, T), losses=None, key=None) -> weights (T,) in the gramian's dtype.

    The shared parameters then move along Σ wᵢ gᵢ. A task whose gradient is exactly zero is absent: it has weight 0 and
    the others are balanced as if it was not there, so that a mask is a zeroed row and column. A NaN anywhere in the
    gramian gives NaN. `init(T)` and `update(gramian, state, losses, key) -> (weights, state)` are one protocol for all;
    a weighting without memory has the state (). Declared traits say what is read: `from_gramian` more of the gramian
    than which tasks are there, `from_losses` the losses (T,), `random` a key, `stateful` that there is memory,
    `rowwise` that `combine` takes the rows (the Jacobian) where others only weigh them.
    """

    from_gramian: bool = True
    from_losses: bool = False
    random: bool = False
    stateful: bool = False
    rowwise: bool = False

    def __call__(self, gramian: ArrayLike, losses: ArrayLike | None = None, key: Array | None = None) -> Array:
        """The weights of one step."""
        raise NotImplementedError

    def init(self, tasks: int, like: PyTree = 0.0) -> Any:
        """The state before the first step, in the dtype of `like`."""
        return ()

    def update(
        self, gramian: ArrayLike, state: Any, losses: ArrayLike | None = None, key: Array | None = None
    ) -> tuple[Array, Any]:
        """The weights of this step and the state after it."""
        return self(gramian, losses, key), state

    def combine(
        self, rows: Sequence[Array], state: Any, losses: ArrayLike | None = None, key: Array | None = None
    ) -> tuple[list[Array], Any]:
        """The direction Σ wᵢ rowᵢ, for arrays with a leading task axis, and the state after it."""
        weights, state = self.update(gramian_of(rows), state, losses, key)
        return [weighted_sum(weights, x) for x in rows], state

    def check(self) -> None:
        """Raise ValueError if a concrete parameter of the weighting is out of range; tracers pass."""


class Stateful(Weighting):
    """Base of the weightings with memory: a subclass states `init` and `update`; a call is a first step."""

    stateful = True

    def __call__(self, gramian: ArrayLike, losses: ArrayLike | None = None, key: Array | None = None) -> Array:
        """The weights of the first step."""
        gramian = jnp.asarray(gramian)
        return self.update(gramian, self.init(gramian.shape[-1], gramian), losses, key)[0]


class Rowwise(Weighting):
    """Base of what combines the rows entry by entry, so that no weights say it: a subclass states `combine`."""

    rowwise = True

    def __call__(self, gramian: ArrayLike, losses: ArrayLike | None = None, key: Array | None = None) -> Array:
        """Raise TypeError: the rows are needed."""
        raise TypeError(f"{type(self).__name__} combines the task gradients themselves: use jaxreg.aggregate.")


def vector(value: ArrayLike, tasks: int, dtype: Any) -> Array:
    """A number for all tasks, or one per task, as (T,)."""
    return jnp.broadcast_to(jnp.asarray(value, dtype), (tasks,))


def needed(weighting: Weighting, losses: ArrayLike | None, dtype: Any, present: Array) -> Array:
    """The losses (T,), 1 where a task is absent. Raises ValueError where there are none."""
    if losses is None:
        raise ValueError(f"{type(weighting).__name__} weighs by the losses: give losses=(T,).")
    return jnp.where(present, jnp.asarray(losses, dtype), jnp.ones((), dtype))


def keyed(weighting: Weighting, key: Array | None) -> Array:
    """The key. Raises ValueError where there is none."""
    if key is None:
        raise ValueError(f"{type(weighting).__name__} is random: give key=jax.random.key(...), a new one each step.")
    return key


def start(tasks: int, like: PyTree, value: float = 0.0) -> Array:
    """(T,) of one value, in the dtype of `like`, at least float32."""
    return jnp.full((tasks,), value, jnp.promote_types(_tree.dtype(like), jnp.float32))


def keep(present: Array, new: Array, old: Array) -> Array:
    """The new state of the tasks that are there, the old one of the others, in the old dtype."""
    return jnp.where(present, new.astype(old.dtype), old)


def within(weighting: Weighting, name: str, low: float, high: float = np.inf, *, strict: bool = False) -> None:
    """Raise ValueError unless concrete parameters lie in [low, high), or (low, high) where `strict`; tracers pass."""
    value = getattr(weighting, name)
    if isinstance(value, jax.core.Tracer):
        return
    x = np.asarray(value)
    if not np.all((x > low if strict else x >= low) & (x < high)):
        sign = "<" if strict else "<="
        raise ValueError(f"{weighting!r}: {name} is {value}, expected {low:g} {sign} {name} < {high:g}.")
