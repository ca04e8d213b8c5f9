"""What functions of singular values and of eigenvalues share: divided differences, one matrix at a time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxreg._typing import Array


def flip(x: Array) -> Array:
    """The last two axes swapped."""
    return jnp.swapaxes(x, -1, -2)


def batched(one: Callable[..., Array], x: Array, args: tuple[Any, ...]) -> Array:
    """one(matrix, (arguments...)) over the leading axes of x; each argument (..., j) broadcasts over them."""
    lead = x.shape[:-2]
    count = math.prod(lead)
    rows = tuple(jnp.broadcast_to(a, (*lead, a.shape[-1])).reshape(count, a.shape[-1]).astype(x.dtype) for a in args)
    out = jax.vmap(one)(x.reshape(count, *x.shape[-2:]), rows)
    return out.reshape(*lead, *out.shape[1:])


def per_matrix(terms: Any, x: Array) -> Array:
    """A number, or an array shaped (..., 1, 1), as an argument (..., 1) of a map."""
    terms = jnp.asarray(terms, x.dtype)
    return terms[..., 0] if terms.ndim else terms[None]


def rounding(x: Array) -> Array:
    """The relative size below which a value of such a matrix counts as zero, as an argument (1,) of a map."""
    return jnp.full((1,), 4 * math.sqrt(max(x.shape[-2:])) * jnp.finfo(x.dtype).eps, x.dtype)


def differences(s: Array, y: Array, slopes: Array) -> Array:
    """(yᵢ - yⱼ)/(sᵢ - sⱼ), and where values agree to half their digits the slope along eᵢ - eⱼ.

    Daleckii and Krein (1965); for maps of all values at once, with Jacobian `slopes`, Lewis and Sendov (2001).
    """
    a, b, own = s[:, None], s[None, :], jnp.diagonal(slopes)
    apart = jnp.abs(a - b) > math.sqrt(jnp.finfo(s.dtype).eps) * jnp.maximum(jnp.abs(a), jnp.abs(b))
    tied = 0.5 * (own[:, None] + own[None, :] - slopes - slopes.T)
    return jnp.where(apart, (y[:, None] - y[None, :]) / jnp.where(apart, a - b, 1.0), tied)


def with_diagonal(x: Array, diagonal: Array) -> Array:
    """x with another diagonal."""
    return jnp.where(jnp.eye(x.shape[0], dtype=bool), jnp.diag(diagonal), x)
