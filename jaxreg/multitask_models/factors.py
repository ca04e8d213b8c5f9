"""Tasks as sparse combinations of learned directions."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxreg._linalg import matmul, svd
from jaxreg._pytree import pytree, static
from jaxreg._typing import Array, ArrayLike, Data, PyTree
from jaxreg.losses import Loss, Squared
from jaxreg.multitask_models._model import strength
from jaxreg.penalties import L1, Ridge
from jaxreg.risk import MultitaskRisk, linear_params, multitask, risk


@pytree
class FactorModel:
    """wₜ = basisᵀ loadsₜ: `size` directions (size, features) for all tasks, sparse loads (tasks, size) for each.

    `risk`, `init` and `penalty` are as in `TaskModel`. Not convex: `minimize` ends at a stationary point that depends
    on `init(data, key)`, whose certificate is the KKT residual.
    """

    penalty: Any
    size: int = static()
    intercept: bool = static(default=True)

    def risk(self, loss: Loss | None = None, task_weights: ArrayLike | None = None) -> MultitaskRisk:
        """The sum over tasks of each task's mean loss, `Squared()` if not given."""
        axes = {"basis": None, "loads": 0, **({"intercept": 0} if self.intercept else {})}
        return multitask(risk(_predict, Squared() if loss is None else loss), axes, task_weights)

    def near(self, params: PyTree) -> PyTree:
        """A start from a linear fit: the product of its rank that is nearest to the coefficients (tasks, features).

        Each direction is shared between loads and basis as equal strengths of both weigh least.
        """
        coef = params["coef"] if isinstance(params, dict) else params
        left, sizes, right = svd(coef)
        left, sizes, right = left[:, : self.size], sizes[: self.size], right[: self.size]
        basis = jnp.cbrt(sizes * jnp.sum(jnp.abs(left), 0))
        loads = jnp.where(basis > 0, sizes / jnp.where(basis > 0, basis, 1.0), 0.0)
        short = [(0, self.size - len(sizes)), (0, 0)]
        made = {
            "basis": jnp.pad(basis[:, None] * right, short),
            "loads": jnp.pad(left * loads[None], short[::-1]),
        }
        return {**made, "intercept": params["intercept"]} if self.intercept else made

    def init(self, data: Data, key: Array) -> PyTree:
        """A random start: zero is stationary."""
        zero = linear_params(data)
        tasks, features = zero["coef"].shape
        one, two = jax.random.split(key)
        scale = jnp.asarray(1.0 / features, zero["coef"].dtype) ** 0.5
        made = {
            "basis": scale * jax.random.normal(one, (self.size, features), scale.dtype),
            "loads": scale * jax.random.normal(two, (tasks, self.size), scale.dtype),
        }
        return {**made, "intercept": zero["intercept"]} if self.intercept else made

    def coef(self, params: PyTree) -> Array:
        """The coefficients (tasks, features) of parameters, or (L, tasks, features) of a path's."""
        return matmul(params["loads"], params["basis"])


def factors(size: int, sparse: Any, ridge: Any, *, intercept: bool = True) -> FactorModel:
    """W = loads basis with sparse ‖loads‖₁ + ridge/2 ‖basis‖²: tasks overlap in the directions they use (GO-MTL).

    Kumar and Daumé (2012). Raises ValueError for a size that is no integer >= 1 or strengths that are negative.

    >>> import jaxreg as jr
    >>> jr.multitask_models.factors(2, 0.1, 0.3).penalty
    (0.1 * L1()).on('loads') + (0.3 * Ridge()).on('basis')
    """
    if not isinstance(size, int) or size < 1:
        raise ValueError(f"factors: size is {size!r}, expected an integer >= 1.")
    penalty = (strength("sparse", sparse) * L1()).on("loads") + (strength("ridge", ridge) * Ridge()).on("basis")
    return FactorModel(penalty, size, intercept)


def _predict(params: PyTree, X: Array) -> Array:
    scores = matmul(X, matmul(params["loads"], params["basis"]))
    return scores + params["intercept"] if "intercept" in params else scores
