"""A risk whose predictions are random themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jaxreg._pytree import pytree, static
from jaxreg._typing import Array, ArrayLike, Data, PyTree
from jaxreg.losses import Loss, Plain
from jaxreg.risk import Risk
from jaxreg.stochastic._base import Pass, Stochastic, score


@pytree
class KeyedRisk(Stochastic):
    """The weighted mean loss of random predictions; made by `risk`."""

    loss: Any
    predict: Callable[..., Any] = static()
    mixes = False

    def __call__(
        self, params: PyTree, data: Data, weights: ArrayLike | None = None, *, key: Array | None = None
    ) -> Array:
        """The risk, a number."""
        return score(self.base, self.sample(params, data, weights, key))

    def sample(self, params: PyTree, data: Data, weights: Any, key: Array | None) -> Pass:
        """One pass of the prediction function with the key."""
        return Pass(self.predict(params, data[0], key), data, self.base.row_weights(data, weights))

    @property
    def base(self) -> Risk:
        """The risk that judges the predictions."""
        return Risk(self.loss, self.predict)


def risk(predict: Callable[..., Any], loss: Loss | Callable[[Any, Any], Any]) -> KeyedRisk:
    """The risk of a prediction function that takes a key, such as a network with its own dropout.

    `predict(params, X, key)` returns predictions, deterministic ones where key is None. Raises TypeError unless both
    are functions.

    >>> import jax, jax.numpy as jnp, jaxreg as jr
    >>> def predict(params, X, key):
    ...     z = X @ params
    ...     return z if key is None else z + jax.random.normal(key, z.shape)
    >>> noisy = jr.stochastic.risk(predict, jr.Squared())
    >>> float(noisy(jnp.zeros(1), (jnp.ones((2, 1)), jnp.array([1.0, 3.0]))))
    2.5
    """
    if not callable(predict) or not callable(loss):
        raise TypeError("stochastic.risk(predict, loss) takes two functions, predict(params, X, key) and a loss.")
    return KeyedRisk(loss if isinstance(loss, Loss) else Plain(loss), predict)
