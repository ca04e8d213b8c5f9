"""Where each path begins, in closed form: nothing to compile."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

import jaxreg as jr

GAUGE_RATIO, SMOOTH_RATIO = 1e-4, 1e-8


def strengths(penalty: Any, data: Any, weights: Any, share: np.ndarray, loss: str, num: int) -> np.ndarray:
    """Strengths from strong to weak, evenly on a log scale.

    They start where the penalty first excludes everything beside the tasks' intercepts (for Huber, about there); for
    penalties that exclude nothing at ten times the risk's curvature.
    """
    X, y = (np.asarray(a) for a in data)
    w = np.ones(y.shape) if weights is None else np.asarray(weights)
    if y.ndim == 1:
        X, y, w = X[None], y[None], w[None]
    w = w / w.sum(1, keepdims=True)
    X = X - np.einsum("tm,tmp->tp", w, X)[:, None]
    smooth = isinstance(penalty, (jr.Ridge, jr.ToMean))
    if smooth:
        bend = {"logistic": np.full(len(y), 0.25), "poisson": (w * y).sum(1)}.get(loss, np.ones(len(y)))
        top = 10 * max(
            float(np.linalg.eigvalsh(s * b * (x.T * v) @ x)[-1]) for x, v, s, b in zip(X, w, share, bend, strict=True)
        )
    else:
        residual = y - (w * y).sum(1, keepdims=True)
        residual = np.clip(residual, -1, 1) if loss == "huber" else residual
        gradient = share[:, None] * np.einsum("tm,tmp->tp", w * residual, X)
        top = _top(penalty, gradient)
    return (top if top > 0 else 1.0) * np.geomspace(1.0, SMOOTH_RATIO if smooth else GAUGE_RATIO, num)


def _top(penalty: Any, gradient: np.ndarray) -> float:
    """The dual norm of the gradient; the elastic net's L1 half acts on its own at the start."""
    if isinstance(penalty, (jr.L1, jr.L2, jr.Nuclear)):
        return float(penalty.dual(jnp.asarray(gradient)))
    return 2.0 * float(np.abs(gradient).max())
