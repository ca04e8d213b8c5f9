"""Where each path begins and ends, in closed form: nothing to compile."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

import jaxreg as jr
from jaxreg.cli._scale import Scale

GAUGE_RATIO, SMOOTH_RATIO = 1e-4, 1e-8


def strengths(penalty: Any, scale: Scale, num: int) -> np.ndarray:
    """Strengths from strong to weak, evenly on a log scale.

    They start where the penalty first excludes everything beside the tasks' intercepts (for Huber, about there); for
    penalties that exclude nothing at ten times the risk's curvature.
    """
    if isinstance(penalty, (jr.Ridge, jr.ToMean)):
        return smooth_grid(scale, num)
    return gauge_grid(_top(penalty, scale), num)


def smooth_grid(scale: Scale, num: int) -> np.ndarray:
    """For a penalty that excludes nothing."""
    return 10 * scale.curvature * np.geomspace(1.0, SMOOTH_RATIO, num)


def gauge_grid(top: float, num: int, ratio: float = GAUGE_RATIO) -> np.ndarray:
    """For a penalty that excludes everything from `top` on."""
    return (top if top > 0 else 1.0) * np.geomspace(1.0, ratio, num)


def _top(penalty: Any, scale: Scale) -> float:
    """The dual norm of the gradient; the elastic net's L1 half acts on its own at the start."""
    if isinstance(penalty, (jr.L1, jr.L2, jr.Nuclear)):
        return float(penalty.dual(jnp.asarray(scale.gradient)))
    return 2.0 * float(np.abs(scale.gradient).max())
