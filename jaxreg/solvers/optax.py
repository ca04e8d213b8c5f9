"""Any optax transformation as a solver."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxreg import _tree
from jaxreg._pytree import pytree, static
from jaxreg._typing import Array, PyTree
from jaxreg.penalties import Penalty
from jaxreg.solvers._problem import Smooth
from jaxreg.transforms import ProximalState


@pytree
class OptaxState:
    """Iterate, the transformation's state and the step of the certificate."""

    params: Any
    inner: Any
    step: Array


@pytree
class Optax:
    """Run an `optax.GradientTransformation` on full-batch gradients of the risk.

    A penalty without gradient at its kinks needs `jaxreg.proximal(penalty, learning_rate)` as the last link of `tx`;
    a smooth one (Ridge, ToMean) is differentiated with the risk when `tx` has no such link. Raises TypeError
    otherwise. A new `tx` object compiles anew: build it once.

    >>> import jax.numpy as jnp, numpy as np, optax, jaxreg as jr
    >>> penalty = 0.5 * jr.L1()
    >>> tx = optax.chain(optax.sgd(1.0), jr.proximal(penalty, 1.0))
    >>> data = (jnp.eye(2), jnp.array([3.0, 0.5]))
    >>> risk = jr.risk(jr.linear, jr.Squared())
    >>> np.asarray(jr.minimize(risk, penalty, jnp.zeros(2), data, solver=jr.Optax(tx)).params).round(2).tolist()
    [2.0, 0.0]
    """

    tx: optax.GradientTransformation = static()
    stride: int = static(default=10)
    patience: int = static(default=200)

    def init(self, f: Smooth, g: Penalty, params: PyTree) -> OptaxState:
        """The transformation's own start."""
        inner = self.tx.init(params)
        if not self._has_prox(inner) and not g.smooth:
            raise TypeError(
                f"Optax(tx) would ignore {g!r}: end the chain with jaxreg.proximal(penalty, learning_rate)."
            )
        curvature = f.curvature(params)
        step = jnp.ones(()) if curvature is None else 1 / jnp.where(curvature > 0, curvature, 1.0)
        return OptaxState(params, inner, step.astype(_tree.dtype(params)))

    def update(self, f: Smooth, g: Penalty, state: OptaxState) -> OptaxState:
        """One gradient, one update."""
        objective = f if self._has_prox(state.inner) else lambda x: f(x) + g.value(x)
        grad = jax.grad(objective)(state.params)
        updates, inner = self.tx.update(grad, state.inner, state.params)
        return OptaxState(optax.apply_updates(state.params, updates), inner, state.step)

    def _has_prox(self, inner: Any) -> bool:
        leaves = jax.tree.leaves(inner, is_leaf=lambda x: isinstance(x, ProximalState))
        return any(isinstance(x, ProximalState) for x in leaves)
