"""Targets mixed with the uniform distribution."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike
from jaxreg.losses._base import Loss, inherited
from jaxreg.losses._check import ranged


@pytree
class LabelSmoothing(Loss):
    """A loss of probabilities whose targets are mixed with the uniform distribution; made by `label_smoothing`."""

    loss: Any
    amount: ArrayLike = 0.1
    curvature, dual, proximable, separable, labels, soft, expects = inherited(
        "curvature", "dual", "proximable", "separable", "labels", "soft", "expects"
    )

    def __repr__(self) -> str:
        return f"label_smoothing({self.loss!r}, {self.amount!r})"

    def __call__(self, prediction: ArrayLike, target: ArrayLike) -> Array:
        """The loss of the smoothed target."""
        z = jnp.asarray(prediction)
        return self.loss(z, self.probabilities(z, target))

    def conjugate(self, dual: Array, target: Array) -> Array:
        """The loss's conjugate at the smoothed target."""
        return self.loss.conjugate(dual, self.probabilities(dual, target))

    def prox(self, prediction: ArrayLike, target: ArrayLike, step: Any = 1.0) -> Array:
        """The loss's prox at the smoothed target."""
        z = jnp.asarray(prediction)
        return self.loss.prox(z, self.probabilities(z, target), step)

    def probabilities(self, scores: Array, target: ArrayLike) -> Array:
        """(1 - amount) p + amount/k, with k = 2 for one score."""
        p = self.loss.probabilities(scores, target)
        amount = jnp.asarray(self.amount, p.dtype)
        return (1 - amount) * p + amount / (scores.shape[-1] if self.labels else 2)

    def admits(self, target: np.ndarray) -> np.ndarray:
        return self.loss.admits(target)

    def check(self) -> None:
        """Raise ValueError unless 0 <= amount <= 1."""
        ranged(self, "amount", 0.0, 1.0, closed=True)
        self.loss.check()


def label_smoothing(loss: Loss, amount: ArrayLike) -> Loss:
    """The loss with targets (1 - amount) p + amount/k, k the number of classes (Szegedy et al. 2016).

    `loss` is `Softmax()` or `Logistic()`; curvature, conjugate and prox carry over. Raises TypeError for a loss whose
    targets are no probabilities.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> loss = jr.label_smoothing(jr.Logistic(), 0.2)
    >>> bool(jnp.isclose(loss(2.0, 1.0), jr.Logistic()(2.0, 0.9)))
    True
    """
    if not isinstance(loss, Loss) or not loss.soft:
        raise TypeError(f"label_smoothing needs a loss of probabilities such as Softmax() or Logistic(), got {loss!r}.")
    return LabelSmoothing(loss, amount)
