"""Gaussian noise on the inputs."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg._pytree import pytree, static
from jaxreg._typing import Array, ArrayLike, Data, PyTree
from jaxreg.stochastic._base import Stochastic, check_number, check_risk, chosen


@pytree
class InputNoise(Stochastic):
    """A risk whose inputs are noisy; made by `input_noise`."""

    risk: Any
    scale: ArrayLike
    on: str | None = static(default=None)

    def perturb(self, params: PyTree, data: Data, weights: Any, key: Array) -> tuple[PyTree, Data, Any]:
        """The floating leaves of X with noise."""
        leaves, structure = jax.tree.flatten(data[0])
        keys = jax.random.split(key, len(leaves))
        hits = chosen(data[0], self.on, "input_noise")
        made = [self._shake(jnp.asarray(x), k) if hit else x for x, k, hit in zip(leaves, keys, hits, strict=True)]
        return params, (jax.tree.unflatten(structure, made), data[1]), weights

    def _shake(self, x: Array, key: Array) -> Array:
        if not jnp.issubdtype(x.dtype, jnp.floating):
            return x
        scale = jnp.broadcast_to(jnp.asarray(self.scale, x.dtype), x.shape)
        return x + scale * jax.random.normal(key, x.shape, x.dtype)


def input_noise(risk: Any, scale: ArrayLike, on: str | None = None) -> InputNoise:
    """Add normal noise of standard deviation `scale`, a number or an array per feature, to the inputs X.

    `on` is a glob over the leaves of X; integers stay. In expectation, least squares gains the ridge ½ scale² ‖w‖², any
    smooth loss its second-order likeness (Bishop 1995). Raises ValueError for a glob that matches nothing.

    >>> import jax, jax.numpy as jnp, jaxreg as jr
    >>> risk = jr.stochastic.input_noise(jr.risk(jr.linear, jr.Squared()), 0.1)
    >>> data = (jnp.zeros((1000, 1)), jnp.zeros(1000))
    >>> round(float(risk(jnp.ones(1), data, key=jax.random.key(0))), 3)
    0.005
    """
    check_risk("input_noise", risk)
    check_number("input_noise", "scale", scale, 0.0, np.inf)
    return InputNoise(risk, scale, on)
