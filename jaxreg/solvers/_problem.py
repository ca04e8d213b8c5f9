"""The smooth part of an objective, bound to its data: what solvers and certificates see of a risk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxreg import _tree
from jaxreg._pytree import pytree
from jaxreg._typing import Array, Data, PyTree
from jaxreg.risk import MultitaskRisk, Risk, linear, weighted

_POWER_STEPS = 24


@pytree
class Smooth:
    """f(params) = Σ rowsᵢ ℓ(predict(params, xᵢ), yᵢ) + constant, with rows the weights already divided by their sum.

    `spectrum` (..., n) is what XXᵀ has on its diagonal, if it is known to be a diagonal matrix.
    """

    risk: Any
    data: Any
    rows: Any
    constant: Any = 0.0
    spectrum: Any = None

    def __call__(self, params: PyTree) -> Array:
        """f(params)."""
        return self.value_at(self.predictions(params))

    def predictions(self, params: PyTree) -> Array:
        """Predictions for every row."""
        return self.risk.predictions(params, self.data)

    def value_at(self, predictions: Array) -> Array:
        """f as a function of the predictions."""
        return weighted(self.rows, self.risk.losses(predictions, self.data, self.rows)) + self.constant

    def value_and_grad(self, params: PyTree) -> tuple[Array, PyTree, Array]:
        """f, its gradient, and the predictions they come from."""
        predictions, back = jax.vjp(self.predictions, params)
        value, slopes = jax.value_and_grad(self.value_at)(predictions)
        return value, back(slopes)[0], predictions

    def losses_about(self, constant: Array) -> Array:
        """f when every prediction is a constant that broadcasts to the targets."""
        return self.value_at(jnp.broadcast_to(constant, self.data[1].shape).astype(self.rows.dtype))

    @property
    def is_linear(self) -> bool:
        """Whether predictions are linear in the parameters."""
        return self.risk.predict is linear

    @property
    def is_squared(self) -> bool:
        """Whether f is a least-squares objective of a linear model."""
        return self.is_linear and self.risk.loss.quadratic

    @property
    def is_multitask(self) -> bool:
        """Whether data have a leading task axis."""
        return isinstance(self.risk, MultitaskRisk)

    @property
    def is_bounded(self) -> bool:
        """Whether the curvature of f has a known bound: a linear model with a loss that states one."""
        return self.is_linear and self.risk.loss.curvature is not None

    def rows_like(self, predictions: Array) -> Array:
        """`rows` with the axes of predictions."""
        return jnp.reshape(self.rows, self.rows.shape + (1,) * (predictions.ndim - self.rows.ndim))

    def bend(self, moved: Array) -> Array:
        """The most d'∇²f d can be for a move d of a linear model that changes predictions by `moved`."""
        return self.risk.loss.curvature * jnp.sum(self.rows_like(moved) * jnp.square(moved))

    def curvature(self, params: PyTree) -> Array | None:
        """An estimate from below of the Lipschitz constant of ∇f, by power iteration; None if the loss has no bound."""
        if not self.is_bounded:
            return None
        size = largest(self.normal(params), params)
        return jnp.asarray(self.risk.loss.curvature, size.dtype) * size

    def normal(self, params: PyTree) -> Callable[[PyTree], PyTree]:
        """The map v -> Aᵀ rows A v of a linear model."""
        _, back = jax.vjp(self.predictions, params)

        def apply(v: PyTree) -> PyTree:
            z = self.predictions(v)
            return back(self.rows_like(z) * z)[0]

        return apply


def largest(normal: Callable[[PyTree], PyTree], params: PyTree) -> Array:
    """The largest eigenvalue of a positive map, by power iteration from below."""

    def step(_: int, carry: tuple[PyTree, Array]) -> tuple[PyTree, Array]:
        w = normal(carry[0])
        size = jnp.sqrt(_tree.norm2(w))
        return jax.tree.map(lambda x: x / jnp.where(size > 0, size, 1.0), w), size

    return jax.lax.fori_loop(0, _POWER_STEPS, step, (_unit(params), jnp.ones((), _tree.dtype(params))))[1]


def bind(risk: Risk | MultitaskRisk, data: Data, weights: Array) -> Smooth:
    """Bind a risk to data and weights."""
    return Smooth(risk, data, risk.row_weights(data, weights), jnp.zeros((), weights.dtype))


def bare(risk: Risk | MultitaskRisk, y: Array, rows: Array) -> Smooth:
    """A risk of one output as a function of predictions alone: no features are kept."""
    return Smooth(risk, (jnp.zeros((len(y), 0), rows.dtype), y), rows, jnp.zeros((), rows.dtype))


def _unit(params: PyTree) -> PyTree:
    """A fixed direction of norm 1 without zero entries."""
    keys = jax.random.split(jax.random.key(0), len(jax.tree.leaves(params)))
    leaves, structure = jax.tree.flatten(params)
    made = [1.0 + 0.5 * jax.random.uniform(k, x.shape, x.dtype) for k, x in zip(keys, leaves, strict=True)]
    tree = jax.tree.unflatten(structure, made)
    size = jnp.sqrt(_tree.norm2(tree))
    return jax.tree.map(lambda x: x / size, tree)
