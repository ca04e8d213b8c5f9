"""Losses: (prediction, target) to one number per example, with the curvature and conjugate that certificates need.

Every loss is a frozen pytree and a pure function. With predictions of shape (n,) or (n, k) and targets of the same
shape (class labels of shape (n,) for `Softmax`) it returns shape (n,); several outputs are summed. A plain function of
the same signature may stand wherever a loss is expected; it merely states no bound.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxreg._pytree import pytree, static
from jaxreg._typing import Array, ArrayLike


class Loss:
    """Base of the named losses.

    `curvature` bounds the second derivative in the prediction (None: unbounded or unknown); `conjugate(dual, target)`
    is sup_z dual z - loss(z, target), elementwise, infinite outside its domain; `separable` says that outputs do not
    interact; `labels` that targets are integer class labels; `dual` that the conjugate is known; `quadratic` that it
    is half the squared error; `smooth` that it has a gradient everywhere; `proximable` that it has a `prox`.
    """

    dual: bool = False
    curvature: float | None = None
    separable: bool = True
    labels: bool = False
    quadratic: bool = False
    smooth: bool = True
    proximable: bool = False

    def __call__(self, prediction: ArrayLike, target: ArrayLike) -> Array:
        """One number per example."""
        raise NotImplementedError

    def conjugate(self, dual: Array, target: Array) -> Array:
        """The convex conjugate in the prediction, one number per example. Raises TypeError where it is not known."""
        raise TypeError(f"{type(self).__name__} states no conjugate.")

    def prox(self, prediction: ArrayLike, target: ArrayLike, step: Any = 1.0) -> Array:
        """argmin_z step·loss(z, target) + ½‖z - prediction‖², shaped like the prediction.

        Raises TypeError where it is not known.
        """
        raise TypeError(f"{type(self).__name__} states no prox.")


def _per_example(terms: Array) -> Array:
    """Sum everything but the example axis."""
    return terms if terms.ndim < 2 else jnp.sum(terms, axis=tuple(range(1, terms.ndim)))


def _xlogx(x: Array) -> Array:
    """x log x with the value 0 at 0 and infinity below it, finite gradients inside."""
    slack = 8 * jnp.finfo(x.dtype).eps
    inside = x > 0
    safe = jnp.where(inside, x, 1.0)
    return jnp.where(inside, safe * jnp.log(safe), jnp.where(x >= -slack, 0.0, jnp.inf))


@pytree
class Plain(Loss):
    """A plain function used as a loss; nothing is known of its curvature or conjugate."""

    function: Callable[[Any, Any], Any] = static()

    def __call__(self, prediction: ArrayLike, target: ArrayLike) -> Array:
        """Call the function and sum over outputs."""
        return _per_example(jnp.asarray(self.function(prediction, target)))


@pytree
class Squared(Loss):
    """Half the squared error, ½(z - y)².

    >>> import jaxreg as jr
    >>> float(jr.Squared()(3.0, 1.0))
    2.0
    """

    curvature = 1.0
    dual = proximable = quadratic = True

    def __call__(self, prediction: ArrayLike, target: ArrayLike) -> Array:
        """½(z - y)², summed over outputs."""
        return _per_example(0.5 * jnp.square(jnp.asarray(prediction) - target))

    def conjugate(self, dual: Array, target: Array) -> Array:
        """½d² + d y."""
        return _per_example(0.5 * jnp.square(dual) + dual * target)

    def prox(self, prediction: ArrayLike, target: ArrayLike, step: Any = 1.0) -> Array:
        """(z + step y)/(1 + step)."""
        z = jnp.asarray(prediction)
        return z - (z - target) * (step / (1 + step))


@pytree
class Huber(Loss):
    """Quadratic near the target, linear beyond `delta` (Huber 1964): ½r² if |r| <= delta, else delta(|r| - delta/2).

    >>> import jaxreg as jr
    >>> float(jr.Huber(delta=1.0)(3.0, 0.0))
    2.5
    """

    delta: ArrayLike = 1.0
    curvature = 1.0
    dual = True

    def __call__(self, prediction: ArrayLike, target: ArrayLike) -> Array:
        """The Huber function of z - y, summed over outputs."""
        r = jnp.asarray(prediction) - target
        inner = jnp.clip(r, -self.delta, self.delta)
        return _per_example(inner * (r - 0.5 * inner))

    def conjugate(self, dual: Array, target: Array) -> Array:
        """½d² + d y for |d| <= delta, else infinity."""
        slack = 1 + 8 * jnp.finfo(dual.dtype).eps
        inside = jnp.abs(dual) <= self.delta * slack
        return _per_example(jnp.where(inside, 0.5 * jnp.square(dual) + dual * target, jnp.inf))


@pytree
class Logistic(Loss):
    """Logistic loss for targets 0 and 1, log(1 + eᶻ) - y z, on scores z (log-odds).

    >>> import jaxreg as jr
    >>> round(float(jr.Logistic()(0.0, 1.0)), 4)
    0.6931
    """

    curvature = 0.25
    dual = True

    def __call__(self, prediction: ArrayLike, target: ArrayLike) -> Array:
        """log(1 + eᶻ) - y z, summed over outputs; stable for any finite score."""
        z = jnp.asarray(prediction)
        return _per_example(jnp.logaddexp(z, 0.0) - z * target)

    def conjugate(self, dual: Array, target: Array) -> Array:
        """Negative entropy of q = d + y for 0 <= q <= 1, else infinity."""
        q = dual + target
        return _per_example(_xlogx(q) + _xlogx(1.0 - q))


@pytree
class Softmax(Loss):
    """Cross-entropy of class scores (n, k) with integer labels (n,) in 0..k-1: log Σ eᶻ - z_y.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> round(float(jr.Softmax()(jnp.zeros((1, 4)), jnp.array([2]))[0]), 4)
    1.3863
    """

    curvature = 0.5
    dual = True
    separable = False
    labels = True

    def __call__(self, prediction: ArrayLike, target: ArrayLike) -> Array:
        """log Σ eᶻ - z_y per example."""
        z = jnp.asarray(prediction)
        return jax.nn.logsumexp(z, axis=-1) - jnp.sum(z * self._onehot(z, target), axis=-1)

    def conjugate(self, dual: Array, target: Array) -> Array:
        """Negative entropy of q = d + onehot(y) on the simplex, else infinity."""
        slack = 16 * dual.shape[-1] * jnp.finfo(dual.dtype).eps
        entropy = jnp.sum(_xlogx(dual + self._onehot(dual, target)), axis=-1)
        return jnp.where(jnp.abs(jnp.sum(dual, axis=-1)) <= slack, entropy, jnp.inf)

    def _onehot(self, scores: Array, target: ArrayLike) -> Array:
        return jax.nn.one_hot(jnp.asarray(target, int), scores.shape[-1], dtype=scores.dtype)


@pytree
class Poisson(Loss):
    """Poisson loss for counts with log link, eᶻ - y z (the constant log y! is left out).

    >>> import jaxreg as jr
    >>> float(jr.Poisson()(0.0, 3.0))
    1.0
    """

    dual = True

    def __call__(self, prediction: ArrayLike, target: ArrayLike) -> Array:
        """eᶻ - y z, summed over outputs."""
        z = jnp.asarray(prediction)
        return _per_example(jnp.exp(z) - z * target)

    def conjugate(self, dual: Array, target: Array) -> Array:
        """Q log q - q for q = d + y >= 0, else infinity."""
        q = dual + target
        return _per_example(_xlogx(q) - q)
