"""What a loss is: a pure function of predictions and targets, and the traits by which solvers choose."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxreg._typing import Array, ArrayLike


class Loss:
    """Base of the named losses.

    `curvature` bounds the second derivative in the prediction (None: unbounded or unknown); `conjugate(dual, target)`
    is sup_z dual z - loss(z, target), elementwise, infinite outside its domain; `prox(prediction, target, step)` is
    argmin_u step loss(u, target) + ½‖u - prediction‖², of the predictions' shape, for a finite step that broadcasts
    with them. Declared traits decide what may be done with a loss: `dual` that the conjugate is known; `proximable`
    that the prox is; `smooth` that there is a gradient everywhere; `separable` that outputs do not interact;
    `rowwise` that examples do not (else the sample weights are a third argument); `labels` that targets are integer
    class labels; `soft` that targets may be probabilities; `mixable` that averages of targets are targets; `paired`
    that targets are pairs on a last axis of their own; `quadratic` that it is half the squared error; `per_task` that
    tasks have losses of their own, that of task t being `at(t, tasks)`. `expects` says in words which targets it
    `admits`.
    """

    expects: str = "any number"
    curvature: Any = None
    dual: bool = False
    proximable: bool = False
    smooth: bool = True
    separable: bool = True
    rowwise: bool = True
    labels: bool = False
    soft: bool = False
    mixable: bool = True
    paired: bool = False
    quadratic: bool = False
    per_task: bool = False

    def __call__(self, prediction: ArrayLike, target: ArrayLike) -> Array:
        """One number per example."""
        raise NotImplementedError

    def conjugate(self, dual: Array, target: Array) -> Array:
        """The convex conjugate in the prediction, one number per example. Raises TypeError where it is not known."""
        raise TypeError(f"{type(self).__name__} states no conjugate.")

    def prox(self, prediction: ArrayLike, target: ArrayLike, step: Any = 1.0) -> Array:
        """argmin_u step loss(u, target) + ½‖u - prediction‖². Raises TypeError where it is not known."""
        raise TypeError(f"{type(self).__name__} states no prox.")

    def at(self, task: Any, tasks: int) -> Loss:
        """The loss of one of so many tasks; its number may be traced."""
        return self

    def check(self) -> None:
        """Raise ValueError if a concrete parameter of the loss is out of range; tracers pass."""

    def admits(self, target: np.ndarray) -> np.ndarray:
        """Where a concrete target is one that the loss is made for, a boolean array of the target's shape."""
        return np.ones(np.shape(target), bool)


def inherited(*traits: str) -> tuple[Any, ...]:
    """Traits that a loss wrapped around another has from it."""

    def read(trait: str) -> Any:
        return property(lambda self: getattr(self.loss, trait))

    return tuple(map(read, traits))


def pair(prediction: ArrayLike, target: ArrayLike) -> tuple[Array, Array]:
    """Predictions and targets as arrays of one floating dtype."""
    dtype = jnp.result_type(prediction, target)
    dtype = dtype if jnp.issubdtype(dtype, jnp.floating) else jnp.result_type(float)
    return jnp.asarray(prediction, dtype), jnp.asarray(target, dtype)


def per_example(terms: Array) -> Array:
    """Sum everything but the example axis."""
    return terms if terms.ndim < 2 else jnp.sum(terms, axis=tuple(range(1, terms.ndim)))


def within(low: Array, x: Array, high: Array, value: Array) -> Array:
    """`value` where low <= x <= high to rounding, infinity elsewhere; NaN stays."""
    slack = 8 * jnp.finfo(x.dtype).eps
    outside = (x > high + slack * jnp.abs(high)) | (x < low - slack * jnp.abs(low))
    return jnp.where(outside, jnp.inf, value)


def xlogx(x: Array) -> Array:
    """x log x with the value 0 at 0 and infinity below it, finite gradients inside."""
    slack = 8 * jnp.finfo(x.dtype).eps
    inside = x > 0
    safe = jnp.where(inside, x, 1.0)
    return jnp.where(inside, safe * jnp.log(safe), jnp.where(x >= -slack, 0.0, jnp.inf))
