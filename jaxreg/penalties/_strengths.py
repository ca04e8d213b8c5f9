"""The strengths of a penalty by their names: taken out, and put back."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg import _tree
from jaxreg._pytree import show
from jaxreg._typing import Array
from jaxreg.penalties._base import Penalty

STRENGTHS = "*strength"


def strengths_of(where: str, penalty: Penalty, only: str = STRENGTHS) -> dict[str, Array]:
    """The leaves of a penalty that match a glob, by name, in their dtype, at least float32.

    Raises TypeError for what is no penalty, ValueError for a glob that matches nothing and numbers that have no
    logarithm.
    """
    if not isinstance(penalty, Penalty):
        raise TypeError(f"{where}: penalty is {type(penalty).__name__}, expected a penalty such as 0.1 * jaxreg.L1().")
    names = _tree.names(penalty)
    hits = set(_tree.matching(names, only, f"{where}: only={only!r} names strengths, and"))
    found = {name: x for name, x in zip(names, jax.tree.leaves(penalty), strict=True) if name in hits}
    for name, x in found.items():
        _check(where, name, x)
    return {name: jnp.asarray(x, jnp.promote_types(jnp.result_type(x, 1.0), jnp.float32)) for name, x in found.items()}


def with_strengths(penalty: Penalty, strengths: dict[str, Any]) -> Penalty:
    """The penalty with these leaves in place of its own."""
    leaves, form = jax.tree.flatten(penalty)
    names = _tree.names(penalty)
    made: Penalty = jax.tree.unflatten(form, [strengths.get(n, x) for n, x in zip(names, leaves, strict=True)])
    return made


def _check(where: str, name: str, value: Any) -> None:
    if isinstance(value, jax.core.Tracer):
        return
    x = np.asarray(value, float)
    if not np.all((x > 0) & np.isfinite(x)):
        raise ValueError(
            f"{where}: {name} is {show(value)}, expected finite numbers > 0, as their logarithms are what moves. Start "
            "from small ones, or leave the leaf out with only=."
        )
