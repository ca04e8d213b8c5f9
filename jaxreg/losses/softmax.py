"""The cross-entropy of class scores: many classes."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike
from jaxreg.losses._base import Loss, xlogx
from jaxreg.losses._roots import exp_root, root


@pytree
class Softmax(Loss):
    """Cross-entropy of class scores (n, k), log Σ eᶻ - z_y, with integer labels (n,) in 0..k-1 or probabilities (n, k).

    The multinomial logit (McFadden 1974). A label outside 0..k-1 gives NaN.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> round(float(jr.Softmax()(jnp.zeros((1, 4)), jnp.array([2]))[0]), 4)
    1.3863
    """

    expects = "an integer label >= 0, or probabilities"
    curvature = 0.5
    dual = proximable = labels = soft = True
    separable = False

    def __call__(self, prediction: ArrayLike, target: ArrayLike) -> Array:
        """log Σ eᶻ - z_y per example."""
        z = jnp.asarray(prediction)
        return jax.nn.logsumexp(z, axis=-1) - jnp.sum(z * self.probabilities(z, target), axis=-1)

    def conjugate(self, dual: Array, target: Array) -> Array:
        """Negative entropy of q = d + onehot(y) on the simplex, else infinity."""
        slack = 16 * dual.shape[-1] * jnp.finfo(dual.dtype).eps
        entropy = jnp.sum(xlogx(dual + self.probabilities(dual, target)), axis=-1)
        return jnp.where(jnp.abs(jnp.sum(dual, axis=-1)) <= slack, entropy, jnp.inf)

    def prox(self, prediction: ArrayLike, target: ArrayLike, step: Any = 1.0) -> Array:
        """z + step(onehot(y) - q) for the softmax q of the result; `step` is a number or one per example, (n, 1).

        With t = log q, t + step eᵗ = z + step onehot(y) + a has one root per class, and a makes Σ q = 1.
        """
        z = jnp.asarray(prediction)
        step = jnp.broadcast_to(jnp.asarray(step, z.dtype), (*z.shape[:-1], 1))
        centre = z + step * self.probabilities(z, target)
        top, k = jnp.max(centre, axis=-1, keepdims=True), z.shape[-1]
        wide = jnp.broadcast_to(step, z.shape)

        def excess(a: Array) -> Array:
            return jnp.sum(jnp.exp(exp_root(centre + a, wide)), axis=-1, keepdims=True) - 1

        a = root(excess, step / k - jnp.log(jnp.asarray(k, z.dtype)) - top, step - top)
        return centre - step * jnp.exp(exp_root(centre + a, wide))

    def probabilities(self, scores: Array, target: ArrayLike) -> Array:
        """The probability of every class: the one-hot label, or the target itself where it is of the scores' shape."""
        target, k = jnp.asarray(target), scores.shape[-1]
        if target.ndim == scores.ndim:
            return target.astype(scores.dtype)
        label = target.astype(int)
        known = (label >= 0) & (label < k)
        return jnp.where(known[..., None], jax.nn.one_hot(label, k, dtype=scores.dtype), jnp.nan)

    def admits(self, target: np.ndarray) -> np.ndarray:
        return target >= 0
