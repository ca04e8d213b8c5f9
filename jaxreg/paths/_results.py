"""From coefficients of all lanes to what is returned: the user's parameters and the errors of held-out rows."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp

from jaxreg._typing import Array, PyTree
from jaxreg.moments import Moments
from jaxreg.solvers._reduce import restorer


@partial(jax.jit, static_argnames="intercept")
def results(
    held: Moments | None, x_mean: Array, y_mean: Array, coef: Array, intercept: bool
) -> tuple[PyTree, Array | None]:
    """Parameters from coefficients (F, L, ...) about means (F, ...), and half the mean squared error of every fold.

    Errors have axes (K, L), then one of tasks where the moments have it; outputs are summed.
    """
    params = jax.vmap(lambda w, x, y: jax.vmap(restorer(x, y, intercept))(w))(coef, x_mean, y_mean)
    if held is None:
        return params, None
    bias = params["intercept"] if intercept else jnp.zeros((*coef.shape[:2], *y_mean.shape[1:]), coef.dtype)
    errors = jax.vmap(lambda m, w, b: jax.vmap(m.squared_error)(w, b))
    return params, 0.5 * errors(held, coef[:-1], bias[:-1])
