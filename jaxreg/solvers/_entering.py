"""Where coefficients leave zero: what active sets need to know of a penalty."""

from __future__ import annotations

from typing import cast

import jax
import jax.numpy as jnp

from jaxreg._typing import Array
from jaxreg.penalties import Leafwise

_FAINT, _DOUBLINGS = 1e-6, 40


def thresholds(part: Leafwise) -> bool:
    """Whether a penalty sets entries to zero one by one, for every strength."""
    serves = part.elementwise and part.metric and part.convex and part.centred
    return serves and not (part.bounded or part.smooth)


def weighed(strength: Array, part: Leafwise) -> Leafwise:
    """strength * part, which acts on one array as `part` does."""
    return cast(Leafwise, strength * part)


def enters(part: Leafwise, grad: Array, strength: Array) -> Array:
    """How far each feature's coefficients at zero would move, at most: positive where zero is not optimal."""
    moved = jnp.abs(weighed(strength, part).leaf_prox(-grad, jnp.ones((), grad.dtype)))
    return jnp.max(moved, tuple(range(1, moved.ndim)))


def quiet(part: Leafwise, grad: Array, strongest: Array) -> Array:
    """A strength, at least the strongest asked, at which no penalised coefficient leaves zero: where a lane begins."""
    free = enters(part, grad, jnp.asarray(jnp.inf, grad.dtype)) > 0
    least = jnp.maximum(strongest, _FAINT * jnp.max(jnp.abs(grad)))
    levels = least * 2.0 ** jnp.arange(_DOUBLINGS, dtype=grad.dtype)
    loud = jax.lax.map(lambda s: jnp.any((enters(part, grad, s) > 0) & ~free), levels)
    return jnp.where(jnp.all(loud), least, levels[jnp.argmin(loud)])
