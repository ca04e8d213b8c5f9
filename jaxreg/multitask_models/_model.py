"""What a named multi-task model is: parts whose sum is every task's coefficients, and a penalty of each."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxreg import _tree
from jaxreg._pytree import pytree, static
from jaxreg._typing import Array, ArrayLike, Data, PyTree
from jaxreg.losses import Loss, Squared
from jaxreg.penalties import Penalty
from jaxreg.risk import MultitaskRisk, linear, linear_params, multitask, risk, summed


@pytree
class TaskModel:
    """A linear multi-task model: `penalty` on `parts`, (name, one copy per task) pairs whose sum is the coefficients.

    A model of one part "coef" is that part. With `intercept` every task has one of its own that nobody penalises.
    `risk(loss)`, `init(data)` and `penalty` are what `minimize`, `path` and `cross_validate` take; `coef(params)` are
    the coefficients (tasks, features).

    >>> import numpy as np, jaxreg as jr
    >>> T = jr.tasks([(np.eye(3), np.array([3.0, 0.0, 1.0])), (np.eye(3), np.array([2.0, 5.0, 1.0]))])
    >>> model = jr.multitask_models.dirty(shared=0.5, own=0.4, intercept=False)
    >>> sol = jr.minimize(model.risk(), model.penalty, model.init(T.data), T.data, T.weights)
    >>> {name: part.shape for name, part in sol.params.items()}, model.coef(sol.params).shape
    ({'own': (2, 3), 'shared': (2, 3)}, (2, 3))
    """

    penalty: Any
    parts: tuple[tuple[str, bool], ...] = static(default=(("coef", True),))
    intercept: bool = static(default=True)

    @property
    def axes(self) -> Any:
        """The task axes of the parameters, as `multitask` takes them."""
        if self.parts == (("coef", True),):
            return 0
        axes = {name: 0 if own else None for name, own in self.parts}
        return {**axes, "intercept": 0} if self.intercept else axes

    def risk(self, loss: Loss | None = None, task_weights: ArrayLike | None = None) -> MultitaskRisk:
        """The sum over tasks of each task's mean loss, `Squared()` if not given."""
        return multitask(risk(linear, Squared() if loss is None else loss), self.axes, task_weights)

    def init(self, data: Data) -> PyTree:
        """Zero parameters for data with a leading task axis."""
        zero = linear_params(data, intercept=self.intercept)
        if self.parts == (("coef", True),):
            return zero
        coef = zero["coef"] if self.intercept else zero
        made = {name: coef if own else coef[0] for name, own in self.parts}
        return {**made, "intercept": zero["intercept"]} if self.intercept else made

    def coef(self, params: PyTree) -> Array:
        """The coefficients (tasks, features) of parameters, or (L, tasks, features) of a path's.

        One row stands for all tasks where nothing in the parameters is a task's own.
        """
        if not isinstance(params, dict):
            return jnp.asarray(params)
        own = dict(self.parts)
        whole = summed({k: x if own.get(k, True) else jnp.expand_dims(x, -2) for k, x in params.items()})
        if "intercept" not in params:
            return whole
        return jnp.broadcast_to(whole, (*params["intercept"].shape, whole.shape[-1]))


def model(penalty: Penalty, intercept: bool, **parts: bool) -> TaskModel:
    """A model whose parts are named; each says whether every task has a copy of its own."""
    return TaskModel(penalty, tuple(parts.items()) or (("coef", True),), intercept)


def strength(name: str, value: Any) -> Any:
    """A strength as it was given. Raises ValueError for a concrete one that is negative or NaN."""
    made = jnp.asarray(value)
    if not isinstance(made, jax.core.Tracer) and not bool(jnp.all(made >= 0)):
        raise ValueError(f"{name} is {value!r}, expected numbers >= 0.")
    return value


def plus(penalty: Penalty, name: str, value: Any, extra: Penalty) -> Penalty:
    """penalty + value * extra, `extra` left out where the value is a plain 0: it would hide what `penalty` frees."""
    weighed = strength(name, value) * extra
    return penalty if isinstance(value, float | int) and value == 0 else penalty + weighed


def positive(name: str, value: Any) -> Any:
    """A strength as it was given. Raises ValueError for a concrete one that is not above 0."""
    made = jnp.asarray(value)
    if not isinstance(made, jax.core.Tracer) and not bool(jnp.all(made > 0)):
        raise ValueError(f"{name} is {value!r}, expected numbers > 0.")
    return value


def dtype_of(params: PyTree) -> Any:
    """The dtype of parameters."""
    return _tree.dtype(params)
