"""One leaf of the parameters: its precision, its name, and how a penalty's method is called on it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from jaxreg._typing import Array

if TYPE_CHECKING:
    from jaxreg.penalties._base import Leafwise


def wide(x: Array) -> Array:
    """At least float32: in half precision thresholds and sums would lose zeros and digits."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def like(z: Array, x: Any) -> Array:
    """The result in the dtype of what was given, where that is a floating one."""
    given = jnp.result_type(x)
    return z.astype(given) if jnp.issubdtype(given, jnp.floating) else z


def is_intercept(name: str) -> bool:
    """Whether a leaf is an intercept by its name: nobody penalises it unless it is asked for."""
    return name.rsplit("/", 1)[-1] == "intercept"


def prox_leaf(part: Leafwise, x: Array, step: Any) -> Array:
    """Prox of one leaf in the leaf's dtype, refusing a metric the penalty cannot take."""
    step = jnp.asarray(step, x.dtype)
    if step.ndim and step.shape != jax.eval_shape(part.leaf_terms, x).shape:
        if not part.metric:
            raise TypeError(
                f"{part!r} has no exact prox in a diagonal metric (step of shape {step.shape}): give a single step."
            )
        step = jnp.broadcast_to(step, x.shape)
    return on_leaf("leaf_prox", part, x, step)


def on_leaf(method: str, part: Leafwise, *args: Array) -> Array:
    """A method of a part, as it stands where it cannot be traced or refuses: its message then shows numbers."""
    try:
        return _traced(method, part, *args)
    except TypeError:
        return getattr(part, method)(*args)


@partial(jax.jit, static_argnums=0, inline=True)
def _traced(method: str, part: Leafwise, *args: Array) -> Array:
    """Traced once for each kind of part and shape; outside of jit a loop in it would else be at every call."""
    return getattr(part, method)(*args)
