"""The strength from which a penalty excludes everything: where paths begin."""

from __future__ import annotations

import jax.numpy as jnp

from jaxreg import _tree
from jaxreg._typing import Array, ArrayLike, Data, PyTree
from jaxreg.paths._grid import is_gauge
from jaxreg.paths._posed import pose, top_of_problem
from jaxreg.penalties import Penalty
from jaxreg.risk import MultitaskRisk, Risk


def strength_max(
    risk: Risk | MultitaskRisk,
    penalty: Penalty,
    data: Data,
    weights: ArrayLike | None = None,
    *,
    init: PyTree | None = None,
) -> Array:
    """The smallest c for which c * penalty excludes everything it penalises, in the data's dtype.

    c = g°(-∇risk) at the fit of what is left unpenalised (intercept, entries of strength 0), with g° the dual norm.
    `init` gives the form of the parameters; by default a linear model without intercept.

    Raises TypeError for a penalty that is no gauge: ridge, for one, excludes nothing at any finite strength.

    >>> import numpy as np, jaxreg as jr
    >>> X, y = np.eye(2, dtype="float32"), np.array([3.0, -1.0], "float32")
    >>> float(jr.strength_max(jr.risk(jr.linear, jr.Squared()), jr.L1(), (X, y)))
    1.5
    """
    where = "strength_max"
    posed = pose(where, risk, penalty, init, data, weights, None, None)
    if not is_gauge(posed.penalty, posed.init):
        raise TypeError(
            f"{where}: {penalty!r} is not a gauge: no finite strength excludes its entries. Choose strengths yourself, "
            "for instance numpy.geomspace(10, 1e-5, 100)."
        )
    return jnp.asarray(top_of_problem(where, posed, True), _tree.dtype(posed.init))
