"""Predictions with a known part: exposures and baselines."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike
from jaxreg.losses._base import Loss, inherited, per_example


@pytree
class Offset(Loss):
    """A loss whose targets carry an offset that is added to the predictions; made by `offset`."""

    loss: Any
    curvature, dual, proximable, smooth, expects = inherited("curvature", "dual", "proximable", "smooth", "expects")
    paired = True

    def __repr__(self) -> str:
        return f"offset({self.loss!r})"

    def __call__(self, prediction: ArrayLike, target: ArrayLike) -> Array:
        """ℓ(z + o, y)."""
        y, o = _split(target)
        return self.loss(jnp.asarray(prediction) + o, y)

    def conjugate(self, dual: Array, target: Array) -> Array:
        """ℓ*(d, y) - d o."""
        y, o = _split(target)
        return self.loss.conjugate(dual, y) - per_example(dual * o)

    def prox(self, prediction: ArrayLike, target: ArrayLike, step: Any = 1.0) -> Array:
        """The loss's prox at z + o, less o."""
        y, o = _split(target)
        return self.loss.prox(jnp.asarray(prediction) + o, y, step) - o

    def admits(self, target: np.ndarray) -> np.ndarray:
        y, o = target[..., 0], target[..., 1]
        return np.stack([self.loss.admits(y), np.ones(o.shape, bool)], -1)

    def check(self) -> None:
        """Check the loss."""
        self.loss.check()


def offset(loss: Loss) -> Loss:
    """The loss of predictions plus a known offset: targets are pairs (y, offset) on a last axis, (n, 2) or (n, k, 2).

    With counts y over exposures e, `offset(Poisson())` and targets stack([y, log(e)], -1) model rates. Predictions stay
    linear in the parameters, so that certificates and paths are what they are without. Raises TypeError for a loss of
    class labels, or one that reads pairs already: put their offset into the prediction function.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> float(jr.offset(jr.Squared())(jnp.zeros(1), jnp.array([[3.0, 1.0]]))[0])
    2.0
    """
    if not isinstance(loss, Loss) or loss.labels or loss.paired:
        raise TypeError(
            f"offset takes a loss with one number as target, such as Poisson(), got {loss!r}; write the offset into "
            "the prediction function, as in risk(lambda params, X: linear(params, X['x']) + X['offset'], loss)."
        )
    return Offset(loss)


def _split(target: Any) -> tuple[Array, Array]:
    made = jnp.asarray(target)
    return made[..., 0], made[..., 1]
