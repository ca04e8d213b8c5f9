"""One loss per task: regression beside classification in one problem."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxreg._pytree import pytree, static
from jaxreg._typing import Array, ArrayLike
from jaxreg.losses._base import Loss, pair


def _every(trait: str) -> Any:
    return property(lambda self: all(getattr(loss, trait) for loss in self.losses))


class _Several(Loss):
    """The traits that several losses have together."""

    losses: Any
    dual, proximable, smooth, separable = map(_every, ("dual", "proximable", "smooth", "separable"))
    mixable, quadratic = map(_every, ("mixable", "quadratic"))

    @property
    def curvature(self) -> Any:
        """The largest bound, None where one has none."""
        bounds = [loss.curvature for loss in self.losses]
        if any(bound is None for bound in bounds):
            return None
        return reduce(lambda a, b: jnp.maximum(a, b), bounds)

    def check(self) -> None:
        for loss in self.losses:
            loss.check()


@pytree
class Chosen(_Several):
    """The loss number `kind`, a scalar that may be traced; the others see arguments at which they are finite."""

    losses: tuple[Any, ...]
    kind: Any

    def __call__(self, prediction: ArrayLike, target: ArrayLike) -> Array:
        """The chosen loss."""
        return self._choose(lambda loss, z, y: loss(z, y), prediction, target)

    def conjugate(self, dual: Array, target: Array) -> Array:
        """The chosen loss's conjugate."""
        return self._choose(lambda loss, d, y: loss.conjugate(d, y), dual, target)

    def prox(self, prediction: ArrayLike, target: ArrayLike, step: Any = 1.0) -> Array:
        """The chosen loss's prox."""
        return self._choose(lambda loss, z, y: loss.prox(z, y, step), prediction, target)

    def _choose(self, call: Callable[[Any, Array, Array], Array], prediction: Any, target: Any) -> Array:
        z, y = pair(prediction, target)
        found = None
        for k, loss in enumerate(self.losses):
            here = self.kind == k
            value = call(loss, jnp.where(here, z, 0.0), jnp.where(here, y, 1.0))
            found = value if found is None else jnp.where(here, value, found)
        assert found is not None
        return found


@pytree
class PerTask(_Several):
    """Distinct losses and the number of each task's; made by `per_task`."""

    losses: tuple[Any, ...]
    kinds: tuple[int, ...] = static()
    per_task = True

    def __repr__(self) -> str:
        return f"per_task([{', '.join(repr(self.losses[k]) for k in self.kinds)}])"

    def __call__(self, prediction: ArrayLike, target: ArrayLike) -> Array:
        raise TypeError("per_task(...) serves risks of several tasks: put its risk into jaxreg.multitask.")

    def at(self, task: Any, tasks: int) -> Loss:
        """The task's own loss. Raises ValueError unless there is one per task."""
        self._count(tasks)
        return Chosen(self.losses, jnp.asarray(self.kinds)[task])

    def _count(self, tasks: int) -> None:
        if len(self.kinds) != tasks:
            raise ValueError(f"per_task has {len(self.kinds)} losses for {tasks} tasks; give one per task.")

    def admits(self, target: np.ndarray) -> np.ndarray:
        self._count(len(target))
        return np.stack([self.losses[k].admits(y) for k, y in zip(self.kinds, target, strict=True)])

    @property
    def expects(self) -> str:  # type: ignore[override]
        """Every task's own."""
        return "; ".join(f"{loss.expects} for {loss!r}" for loss in self.losses)


def per_task(losses: Sequence[Loss]) -> Loss:
    """A loss of its own for every task, ℓₜ(z, y), in the order of the tasks: for `risk` inside `multitask`.

    Curvature, conjugates and proxes are the parts', so that certificates are what they are for each loss alone.
    Raises TypeError for losses whose targets are class labels or pairs, or in which examples interact.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> both = jr.multitask(jr.risk(jr.linear, jr.per_task([jr.Squared(), jr.Logistic()])))
    >>> float(both(jnp.zeros((2, 1)), (jnp.ones((2, 1, 1)), jnp.ones((2, 1)))))
    1.193...
    """
    for loss in (given := list(losses)):
        if not isinstance(loss, Loss) or loss.labels or loss.paired or loss.per_task or not loss.rowwise:
            raise TypeError(
                f"per_task takes losses of one number per row, such as Squared() and Logistic(), got {loss!r}."
            )
    if not given:
        raise TypeError("per_task takes one loss per task, got none.")
    names = [repr(loss) for loss in given]
    distinct = list(dict.fromkeys(names))
    kinds = tuple(distinct.index(name) for name in names)
    return PerTask(tuple(given[names.index(name)] for name in distinct), kinds)
