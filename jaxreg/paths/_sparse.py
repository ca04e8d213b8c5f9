"""Sparse features at the boundary: checked as dense ones are, and never made dense."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy  # type: ignore[import-untyped]  # its `sparse` is imported when first asked for

from jaxreg import _tree, _validate
from jaxreg._typing import Array, PyTree
from jaxreg.paths._design import Sparse
from jaxreg.penalties import Penalty
from jaxreg.risk import MultitaskRisk, Risk, linear
from jaxreg.solvers.minimize import check_model


def is_sparse(data: Any) -> bool:
    """Whether X is a matrix or an array of scipy.sparse or jax.experimental.sparse."""
    return isinstance(data, (tuple, list)) and len(data) == 2 and _validate.is_sparse(data[0])


def prepare_sparse(
    where: str, risk: Risk | MultitaskRisk, penalty: Penalty, init: PyTree | None, data: Any, weights: Any
) -> tuple[tuple[Sparse, Array], Array, Penalty, PyTree]:
    """Everything checked and in one dtype; without `init`, zeros of a linear model without intercept."""
    check_model(where, risk, penalty)
    if isinstance(risk, MultitaskRisk) or risk.predict is not linear:
        raise TypeError(f"{where}: X is sparse, expected a linear model of one task for it; densify with X.toarray().")
    X = _as_scipy(where, data[0])
    n, p = X.shape
    if np.ndim(data[1]) != 1 or len(data[1]) != n:
        raise ValueError(
            f"{where}: y has shape {np.shape(data[1])}, expected ({n},) to match sparse X of shape {X.shape}."
        )
    values = _validate.array(where, "X", X.data, announce=True)
    X = X.tocsc().astype(values.dtype)
    (_, y), w = _validate.problem(
        where, (jnp.zeros((n, 1), values.dtype), data[1]), weights, tasks=False, labels=risk.loss.labels
    )
    _validate.targets(where, y, w, risk.loss)
    X = _finite(where, X, np.asarray(w))
    init = jnp.zeros(p, w.dtype) if init is None else _validate.parameters(where, init, w.dtype)
    coef = init["coef"] if isinstance(init, dict) else init
    if jnp.shape(coef) != (p,):
        raise ValueError(
            f"{where}: init has coefficients of shape {jnp.shape(coef)}, expected ({p},), one per feature."
        )
    penalty = _tree.cast(penalty, w.dtype)
    jax.eval_shape(penalty.value, init)
    return (Sparse(X), y), w, penalty, init


def _as_scipy(where: str, X: Any) -> Any:
    """BCOO and BCSR without their padding, anything of scipy.sparse as it is. Raises TypeError for other forms."""
    if _validate.traced(X):
        raise TypeError(f"{where}: sparse X is read on the host: call it outside of jit and vmap.")
    own = hasattr(X, "tocsc")
    if X.ndim != 2 or not (own or (hasattr(X, "n_batch") and X.n_batch == X.n_dense == 0)):
        raise TypeError(
            f"{where}: X is {type(X).__name__} of shape {X.shape}, expected scipy.sparse features of shape (n, p), or "
            "BCOO or BCSR without batch and dense axes."
        )
    if own:
        return X
    values, index = np.asarray(X.data), np.asarray(X.indices)
    if hasattr(X, "indptr"):
        starts = np.asarray(X.indptr)
        return scipy.sparse.csr_array((values[: starts[-1]], index[: starts[-1]], starts), shape=X.shape)
    real = (index < np.array(X.shape)).all(1)
    return scipy.sparse.coo_array((values[real], tuple(index[real].T)), shape=X.shape)


def _finite(where: str, X: Any, w: np.ndarray) -> Any:
    """X with rows of weight 0 blanked where they are not finite. Raises ValueError for others."""
    bad = ~np.isfinite(X.data)
    counted = bad & (w[X.indices] > 0)
    if counted.any():
        raise ValueError(
            f"{where}: X has NaN or infinite entries in {len(np.unique(X.indices[counted]))} row(s) that count, first "
            f"in row {X.indices[counted].min()}. Drop or fill them, or give these rows weight 0."
        )
    if bad.any():
        X = X.copy()
        X.data[bad] = 0
    return X
