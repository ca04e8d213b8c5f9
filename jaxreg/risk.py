"""Risks: a prediction function and a loss become one number of parameters, data and sample weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp

from jaxreg import _validate
from jaxreg._linalg import matmul
from jaxreg._pytree import pytree, static
from jaxreg._typing import Array, ArrayLike, Data, Predict, PyTree
from jaxreg.losses import Loss, Plain, Squared


def linear(params: PyTree, X: ArrayLike) -> Array:
    """Linear predictions X w + b.

    `params` is an array w of shape (p,) or (p, k), or a dictionary: "intercept" is b, of shape () or (k,) and 0 where
    it is missing; w is the sum of the other entries, as in {"coef": w, "intercept": b} or, with parts that are
    penalised each in its own way, {"common": u, "own": v}. X has shape (n, p). Returns shape (n,) or (n, k) in their
    promoted dtype. Raises ValueError for a dictionary of an intercept alone.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.linear({"coef": jnp.array([1.0, 2.0]), "intercept": 0.5}, jnp.eye(2)).tolist()
    [1.5, 2.5]
    """
    X = jnp.asarray(X)
    if not isinstance(params, dict):
        return matmul(X, jnp.asarray(params))
    scores = matmul(X, summed(params))
    if "intercept" not in params:
        return scores
    return scores + jnp.broadcast_to(jnp.asarray(params["intercept"], scores.dtype), scores.shape)


def summed(params: PyTree) -> Array:
    """The coefficients of a linear model: the array itself, or the sum of a dictionary's entries but the intercept.

    Entries without a task axis are added to those of every task.
    """
    if not isinstance(params, dict):
        return jnp.asarray(params)
    terms = [jnp.asarray(x) for name, x in params.items() if name != "intercept"]
    if not terms:
        raise ValueError('linear: the parameters hold an intercept alone, expected coefficients such as "coef" too.')
    axes = max(x.ndim for x in terms)
    return reduce(jnp.add, [x.reshape((1,) * (axes - x.ndim) + x.shape) for x in terms])


def linear_params(data: Data, *, intercept: bool = True, outputs: int | None = None) -> PyTree:
    """Zero parameters of a linear model for the data, as a start for `minimize`, `path` and `cross_validate`.

    X of shape (n, p) gives coefficients (p,), or (p, k) for targets (n, k) or `outputs=k` classes; X of shape
    (tasks, m, p) gives (tasks, p). With `intercept` the result is {"coef": w, "intercept": b}.

    >>> import numpy as np, jaxreg as jr
    >>> jr.linear_params((np.ones((5, 3)), np.ones(5)))["coef"].shape
    (3,)
    """
    X, y = data
    X = X if _validate.is_sparse(X) or isinstance(X, jax.Array) else _validate.checked("linear_params", "X", X)
    y = y if isinstance(y, jax.Array) else _validate.checked("linear_params", "y", y)
    k = (outputs,) if outputs else y.shape[X.ndim - 1 :]
    dtype = jax.dtypes.canonicalize_dtype(X.dtype.newbyteorder("="))
    if not jnp.issubdtype(dtype, jnp.floating):
        dtype = jnp.result_type(float)
    elif dtype != jnp.float16:
        dtype = jnp.result_type(dtype, jnp.float32)
    lead = X.shape[:-2]
    coef = jnp.zeros((*lead, X.shape[-1], *k), dtype)
    return {"coef": coef, "intercept": jnp.zeros((*lead, *k), dtype)} if intercept else coef


def ordinal(params: PyTree, X: ArrayLike) -> Array:
    """Cumulative scores of ordered classes for `Ordinal`: η + c_j with η = X w and c falling in j (McCullagh 1980).

    `params` is {"coef": w (p,), "intercept": b (k-1,)} with c_0 = b_0 and c_j = c_(j-1) - log(1 + e^(b_j)), so that
    any b gives ordered classes; X has shape (n, p). Returns log-odds (n, k-1) that the label exceeds 0, ..., k-2.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> jr.ordinal({"coef": jnp.ones(2), "intercept": jnp.zeros(3)}, jnp.eye(2)).round(2)[0].tolist()
    [1.0, 0.31..., -0.38...]
    """
    scores = linear(params["coef"], X)
    b = jnp.asarray(params["intercept"], scores.dtype)
    c = b[:1] - jnp.concatenate([jnp.zeros_like(b[:1]), jnp.cumsum(jax.nn.softplus(b[1:]))])
    return scores[:, None] + c[None]


@pytree
class Risk:
    """The weighted mean loss of predictions: (params, data, weights=None) -> Σ wᵢ ℓ(predict(params, xᵢ), yᵢ) / Σ wᵢ."""

    loss: Any
    predict: Predict = static()

    def __call__(self, params: PyTree, data: Data, weights: ArrayLike | None = None) -> Array:
        """The risk, a number."""
        rows = self.row_weights(data, weights)
        return weighted(rows, self.losses(self.predictions(params, data), data, rows))

    def predictions(self, params: PyTree, data: Data) -> Array:
        """Predictions, the sample axis first."""
        return self.predict(params, data[0])

    def losses(self, predictions: Array, data: Data, rows: Array | None = None) -> Array:
        """One loss per example, shape (n,); `rows` are weights for a loss in which examples interact."""
        given = (predictions, data[1]) if self.loss.rowwise else (predictions, data[1], rows)
        values = jnp.asarray(self.loss(*given))
        if values.shape != jnp.shape(data[1])[:1]:
            raise ValueError(
                f"the loss returned shape {values.shape} for targets of shape {jnp.shape(data[1])} and predictions of "
                f"shape {predictions.shape}; expected one number per example, ({jnp.shape(data[1])[0]},)."
            )
        return values

    def conjugates(self, duals: Array, data: Data) -> Array:
        """The loss's conjugate per example, shape (n,)."""
        return self.loss.conjugate(duals, data[1])

    def proxes(self, predictions: Array, data: Data, step: Any) -> Array:
        """The loss's prox at every prediction, in one step for all."""
        return self.loss.prox(predictions, data[1], step)

    def row_weights(self, data: Data, weights: ArrayLike | None = None) -> Array:
        """Sample weights divided by their sum, so that Σ row_weights·losses is the risk; all 0 for an empty sample."""
        shape = jnp.shape(data[1])[:1]
        dtype = _float(data)
        w = jnp.ones(shape, dtype) if weights is None else jnp.asarray(weights, dtype)
        return share(w)


@pytree
class MultitaskRisk:
    """The sum over tasks of each task's weighted mean loss; data and weights have a leading task axis."""

    risk: Risk
    task_weights: Any = None
    axes: Any = static(default=0)

    def __call__(self, params: PyTree, data: Data, weights: ArrayLike | None = None) -> Array:
        """The risk, a number."""
        rows = self.row_weights(data, weights)
        return weighted(rows, self.losses(self.predictions(params, data), data, rows))

    @property
    def loss(self) -> Loss:
        """The loss of every task."""
        return self.risk.loss

    @property
    def predict(self) -> Predict:
        """The prediction function of every task."""
        return self.risk.predict

    def predictions(self, params: PyTree, data: Data) -> Array:
        """Predictions of shape (tasks, m, ...)."""
        axes = thaw_axes(self.axes)
        return jax.vmap(self.risk.predictions, in_axes=(axes, 0))(params, data)

    def losses(self, predictions: Array, data: Data, rows: Array | None = None) -> Array:
        """One loss per task and example, shape (tasks, m)."""
        return self._each(lambda one, *rows: one.losses(*rows), predictions, data, rows)

    def conjugates(self, duals: Array, data: Data) -> Array:
        """The loss's conjugate per task and example, shape (tasks, m)."""
        return self._each(lambda one, *rows: one.conjugates(*rows), duals, data)

    def proxes(self, predictions: Array, data: Data, step: Any) -> Array:
        """The loss's prox at every prediction, in one step for all."""
        return self._each(lambda one, z, rows: one.proxes(z, rows, step), predictions, data)

    def _each(self, call: Callable[..., Any], *stacked: Any) -> Array:
        """One call per task, of the risk with the task's own loss."""
        if not self.loss.per_task:
            return jax.vmap(lambda *one: call(self.risk, *one))(*stacked)
        tasks = stacked[0].shape[0]

        def own(task: Array, *one: Any) -> Array:
            return call(replace(self.risk, loss=self.loss.at(task, tasks)), *one)

        return jax.vmap(own)(jnp.arange(tasks), *stacked)

    def row_weights(self, data: Data, weights: ArrayLike | None = None) -> Array:
        """Sample weights divided by their sum within each task, times the task's weight; shape (tasks, m)."""
        shape = jnp.shape(data[1])[:2]
        w = jnp.ones(shape, _float(data)) if weights is None else jnp.asarray(weights, _float(data))
        shares = share(w)
        if self.task_weights is None:
            return shares
        return shares * jnp.broadcast_to(jnp.asarray(self.task_weights, w.dtype), shape[:1])[:, None]


def risk(predict: Predict, loss: Loss | Callable[[Any, Any], Any]) -> Risk:
    """Combine a prediction function and a loss into a risk.

    The result is callable, (params, data, weights=None) -> Σ wᵢ ℓ(predict(params, xᵢ), yᵢ) / Σ wᵢ, with
    data = (X, y) and weights (n,) or None; rows of weight 0 do not count, a negative or infinite weight makes it NaN.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> float(jr.risk(jr.linear, jr.Squared())(jnp.zeros(1), (jnp.ones((2, 1)), jnp.array([1.0, 3.0]))))
    2.5
    """
    if not callable(predict) or not callable(loss):
        raise TypeError("risk(predict, loss) takes two functions, as in risk(jaxreg.linear, jaxreg.Squared()).")
    return Risk(loss if isinstance(loss, Loss) else Plain(loss), predict)


def multitask(risk: Risk, axes: Any = 0, task_weights: ArrayLike | None = None) -> MultitaskRisk:
    """The sum over tasks of a risk, Σₜ vₜ risk(θₜ, dataₜ, weightsₜ).

    `axes` is vmap's in_axes for the parameters: 0 gives every task its own copy, None shares one copy, a tree
    prefix such as {"trunk": None, "head": 0} mixes both. `task_weights` vₜ defaults to 1; mₜ/Σm gives the pooled mean.

    >>> import jax.numpy as jnp, jaxreg as jr
    >>> joint = jr.multitask(jr.risk(jr.linear, jr.Squared()), axes=0)
    >>> float(joint(jnp.zeros((2, 1)), (jnp.ones((2, 3, 1)), jnp.ones((2, 3)))))
    1.0
    """
    return MultitaskRisk(risk, task_weights, _freeze(axes))


def with_squares(risk: Risk | MultitaskRisk) -> Risk | MultitaskRisk:
    """The same predictions with squared loss."""
    if isinstance(risk, MultitaskRisk):
        return replace(risk, risk=replace(risk.risk, loss=Squared()))
    return replace(risk, loss=Squared())


def weighted(weights: Array, values: Array) -> Array:
    """Σ wᵢ vᵢ where an entry of weight 0 never counts, not even an infinite one."""
    return jnp.sum(jnp.where(weights > 0, weights * jnp.where(weights > 0, values, 0.0), 0.0))


def share(weights: Array) -> Array:
    """Weights divided by their sum along the last axis, 0 where the sum is 0, NaN where one is no number >= 0."""
    total = jnp.sum(weights, axis=-1, keepdims=True)
    return sound(weights) / jnp.where(total > 0, total, 1.0)


def sound(weights: Array) -> Array:
    """Weights, all NaN along the last axis where one is negative or not finite: nothing then passes as a fit."""
    usable = jnp.all((weights >= 0) & jnp.isfinite(weights), axis=-1, keepdims=True)
    return jnp.where(usable, weights, jnp.nan)


def _float(data: Data) -> Any:
    leaves = [jnp.result_type(x) for x in jax.tree.leaves(data[0])]
    floating = [d for d in leaves if jnp.issubdtype(d, jnp.floating)]
    return jnp.result_type(*floating) if floating else jnp.result_type(float)


def _freeze(axes: Any) -> Any:
    """Axes as hashable structure: dictionaries become sorted tuples of pairs."""
    return ("dict", *((k, _freeze(v)) for k, v in sorted(axes.items()))) if isinstance(axes, dict) else axes


def thaw_axes(frozen: Any) -> Any:
    """The in_axes tree that `_freeze` stored."""
    if isinstance(frozen, tuple) and frozen and frozen[0] == "dict":
        return {k: thaw_axes(v) for k, v in frozen[1:]}
    return frozen


def axis_of(axes: Any, name: str) -> Any:
    """The task axis of one entry of the parameters, None where tasks share it."""
    return axes.get(name) if isinstance(axes, dict) else axes
