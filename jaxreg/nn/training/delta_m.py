"""Comparing multi-task learners: the mean relative gain, and what seeds say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def delta_m(values: Any, baseline: Any, higher: Sequence[bool]) -> Any:
    """Δm in percent, 100/T Σₜ ±(Mₜ - Bₜ)/Bₜ over the last axis: above 0 is better than the baseline, on average.

    The sign is + for a metric of which `higher` is better and - for one of which lower is; there is one entry per task
    and no default, since the literature writes both signs (Maninis et al. 2019; above 0 is worse in Navon et al.
    2022). Raises ValueError for shapes that do not agree and a baseline of 0.

    >>> from jaxreg import nn
    >>> float(nn.delta_m([0.9, 2.0], [0.8, 1.0], higher=[True, False]))
    -43.75
    """
    m, b = np.asarray(values, float), np.asarray(baseline, float)
    if m.ndim < 1 or len(higher) != m.shape[-1] or b.shape[-1:] != m.shape[-1:]:
        raise ValueError(
            f"delta_m: values have shape {m.shape}, baseline {b.shape}, higher {len(higher)} entries; expected one "
            "number per task on the last axis of all."
        )
    if np.any(b == 0):
        raise ValueError("delta_m: the baseline has a metric of 0, relative to which nothing can be said.")
    sign = np.where(np.asarray(higher, bool), 1.0, -1.0)
    return 100 * np.mean(sign * (m - b) / np.abs(b), -1)


def mean_sd(values: Any) -> tuple[Any, Any]:
    """Mean and standard deviation over the first axis, the seeds, with divisor seeds - 1 (ddof 1); NaN for one seed.

    >>> from jaxreg import nn
    >>> [float(v) for v in nn.mean_sd([1.0, 3.0])]
    [2.0, 1.414...]
    """
    found = np.asarray(values, float)
    mean = np.mean(found, 0)
    return mean, np.std(found, 0, ddof=1) if len(found) > 1 else np.full_like(mean, np.nan)
