"""Parameters set to zero at random: whole units, or single connections."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxreg._pytree import pytree, static
from jaxreg._typing import Array, ArrayLike, Data, PyTree
from jaxreg.stochastic._base import Stochastic, check_number, check_risk, chosen


@pytree
class Dropout(Stochastic):
    """A risk whose parameters are dropped at random; made by `dropout` and `drop_connect`."""

    risk: Any
    rate: ArrayLike
    on: str | None = static(default=None)
    axis: int | None = static(default=None)

    def perturb(self, params: PyTree, data: Data, weights: Any, key: Array) -> tuple[PyTree, Data, Any]:
        """The parameters with entries or slices of zeros, the others divided by 1 - rate."""
        leaves, structure = jax.tree.flatten(params)
        keys = jax.random.split(key, len(leaves))
        hits = chosen(params, self.on, "dropout")
        made = [self._drop(jnp.asarray(x), k) if hit else x for x, k, hit in zip(leaves, keys, hits, strict=True)]
        return jax.tree.unflatten(structure, made), data, weights

    def _drop(self, x: Array, key: Array) -> Array:
        shape = x.shape
        if self.axis is not None and x.ndim:
            if not -x.ndim <= self.axis < x.ndim:
                raise ValueError(
                    f"dropout: axis is {self.axis}, but a leaf has shape {x.shape}; choose leaves with on."
                )
            shape = tuple(n if i == self.axis % x.ndim else 1 for i, n in enumerate(shape))
        keep = 1 - jnp.asarray(self.rate, x.dtype)
        kept = jax.random.bernoulli(key, keep, shape)
        return jnp.where(jnp.broadcast_to(kept, x.shape), x / jnp.where(keep > 0, keep, 1.0), jnp.zeros_like(x))


def dropout(risk: Any, rate: ArrayLike, on: str | None = None, *, axis: int = 0) -> Dropout:
    """Drop whole units: slices of parameters along `axis` are 0 with probability `rate`, the others over 1 - rate.

    Axis 0 of a matrix (inputs, outputs) is the unit it reads (Srivastava et al. 2014). `on` is a glob over leaves as in
    `penalty.on`; without it all leaves but intercepts. In expectation, least squares gains the ridge
    ½ rate/(1 - rate) Σⱼ wⱼ² mean(xⱼ²) (Wager, Wang and Liang 2013). Raises ValueError for a glob that matches nothing.

    >>> import jax, jax.numpy as jnp, jaxreg as jr
    >>> risk = jr.stochastic.dropout(jr.risk(jr.linear, jr.Squared()), 0.5)
    >>> data = (jnp.ones((1, 1)), jnp.zeros(1))
    >>> values = jax.vmap(lambda key: risk(jnp.ones(1), data, key=key))(jax.random.split(jax.random.key(0), 100))
    >>> sorted(set(values.tolist())), float(risk(jnp.ones(1), data))
    ([0.0, 2.0], 0.5)
    """
    check_risk("dropout", risk)
    check_number("dropout", "rate", rate, 0.0, 1.0)
    return Dropout(risk, rate, on, axis)


def drop_connect(risk: Any, rate: ArrayLike, on: str | None = None) -> Dropout:
    """Drop single connections: entries of parameters are 0 with probability `rate`, the others over 1 - rate.

    Wan et al. (2013); for vectors it is `dropout`. Raises ValueError for a glob `on` that matches nothing.

    >>> import jax, jax.numpy as jnp, jaxreg as jr
    >>> risk = jr.stochastic.drop_connect(jr.risk(jr.linear, jr.Squared()), 0.5, on="coef")
    >>> params = {"coef": jnp.zeros((1, 2)), "intercept": jnp.ones(2)}
    >>> float(risk(params, (jnp.ones((3, 1)), jnp.zeros((3, 2))), key=jax.random.key(0)))
    1.0
    """
    check_risk("drop_connect", risk)
    check_number("drop_connect", "rate", rate, 0.0, 1.0)
    return Dropout(risk, rate, on, None)
