"""How well tasks are predicted: errors, R², accuracy and AUC of padded tasks, and what is said over methods and seeds.

Predictions, targets and weights have shape (T, m), as `tasks` makes them; an entry of weight 0, such as padding, never
counts, whatever it holds, and `weights=None` weighs all alike. Below wₜᵢ are the weights, zₜᵢ the predictions, yₜᵢ the
targets, nₜ = Σᵢ wₜᵢ, ȳₜ the weighted mean of task t and ȳ that of all rows. A task without weight is left out of every
mean, and so is one of which a metric says nothing: a constant target for R² and `nmse`, a single class for the AUC.
Where no task is left the result is NaN, and so it is where a row that counts has a NaN. All functions are pure and
jittable.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg._typing import Array, ArrayLike

__all__ = [
    "delta_m",
    "mean_and_sd",
    "mean_task_accuracy",
    "mean_task_auc",
    "mean_task_r2",
    "mean_task_rmse",
    "nmse",
    "pooled_r2",
    "pooled_rmse",
    "weighted_r2",
    "weighted_rmse",
    "within_r2",
]


def mean_task_rmse(predictions: ArrayLike, targets: ArrayLike, weights: ArrayLike | None = None) -> Array:
    """The mean over tasks of their root mean squared errors, 1/T Σₜ √(Σᵢ wₜᵢ (zₜᵢ - yₜᵢ)² / nₜ).

    >>> import jaxreg as jr
    >>> float(jr.metrics.mean_task_rmse([[0.0, 0.0], [0.0, 9.0]], [[1.0, 1.0], [3.0, 0.0]], [[1, 1], [1, 0]]))
    2.0
    """
    z, y, w = _checked(predictions, targets, weights)
    counts = jnp.sum(w, 1)
    return _mean(jnp.sqrt(_per(counts, _squares(z, y, w))), counts > 0)


def pooled_rmse(predictions: ArrayLike, targets: ArrayLike, weights: ArrayLike | None = None) -> Array:
    """The root mean squared error of all rows as one sample, √(Σₜᵢ wₜᵢ (zₜᵢ - yₜᵢ)² / Σₜ nₜ).

    >>> import jaxreg as jr
    >>> float(jr.metrics.pooled_rmse([[0.0, 0.0], [0.0, 9.0]], [[1.0, 1.0], [5.0, 0.0]], [[1, 1], [1, 0]]))
    3.0
    """
    z, y, w = _checked(predictions, targets, weights)
    return jnp.sqrt(jnp.sum(_squares(z, y, w)) / jnp.sum(w))


def weighted_rmse(predictions: ArrayLike, targets: ArrayLike, weights: ArrayLike | None = None) -> Array:
    """The mean of the tasks' RMSE by their rows, Σₜ nₜ RMSEₜ / Σₜ nₜ (MALSAR's error; Zhou, Chen and Ye 2011).

    >>> import jaxreg as jr
    >>> float(jr.metrics.weighted_rmse([[0.0, 0.0], [0.0, 9.0]], [[1.0, 1.0], [4.0, 0.0]], [[1, 1], [1, 0]]))
    2.0
    """
    z, y, w = _checked(predictions, targets, weights)
    counts = jnp.sum(w, 1)
    return _mean(jnp.sqrt(_per(counts, _squares(z, y, w))), counts)


def nmse(predictions: ArrayLike, targets: ArrayLike, weights: ArrayLike | None = None) -> Array:
    """Mean squared errors in units of the tasks' variances, by rows: Σₜ nₜ MSEₜ/Varₜ / Σₜ nₜ = 1 - `weighted_r2`.

    Varₜ = Σᵢ wₜᵢ (yₜᵢ - ȳₜ)² / nₜ; tasks with a constant target are left out (Zhou et al. 2011, KDD).

    >>> import jaxreg as jr
    >>> float(jr.metrics.nmse([[0.0, 0.0]], [[1.0, -1.0]]))
    1.0
    """
    return 1 - weighted_r2(predictions, targets, weights)


def pooled_r2(predictions: ArrayLike, targets: ArrayLike, weights: ArrayLike | None = None) -> Array:
    """R² of all rows as one sample, 1 - Σₜᵢ wₜᵢ (zₜᵢ - yₜᵢ)² / Σₜᵢ wₜᵢ (yₜᵢ - ȳ)²: the tasks' means count as explained.

    >>> import jaxreg as jr
    >>> round(float(jr.metrics.pooled_r2([[0.0, 0.0], [4.0, 4.0]], [[-1.0, 1.0], [3.0, 5.0]])), 4)
    0.8
    """
    z, y, w = _checked(predictions, targets, weights)
    mean = jnp.sum(w * y) / jnp.sum(w)
    total = jnp.sum(w * jnp.square(y - mean))
    return 1 - jnp.sum(_squares(z, y, w)) / jnp.where(total > 0, total, jnp.nan)


def within_r2(predictions: ArrayLike, targets: ArrayLike, weights: ArrayLike | None = None) -> Array:
    """R² of all rows beyond the tasks' means, 1 - Σₜᵢ wₜᵢ (zₜᵢ - yₜᵢ)² / Σₜᵢ wₜᵢ (yₜᵢ - ȳₜ)².

    >>> import jaxreg as jr
    >>> float(jr.metrics.within_r2([[0.0, 0.0], [4.0, 4.0]], [[-1.0, 1.0], [3.0, 5.0]]))
    0.0
    """
    z, y, w = _checked(predictions, targets, weights)
    total = jnp.sum(_about_mean(y, w))
    return 1 - jnp.sum(_squares(z, y, w)) / jnp.where(total > 0, total, jnp.nan)


def mean_task_r2(predictions: ArrayLike, targets: ArrayLike, weights: ArrayLike | None = None) -> Array:
    """The mean over tasks of R²ₜ = 1 - Σᵢ wₜᵢ (zₜᵢ - yₜᵢ)² / Σᵢ wₜᵢ (yₜᵢ - ȳₜ)²; constant targets are left out.

    >>> import jaxreg as jr
    >>> float(jr.metrics.mean_task_r2([[-1.0, 1.0], [4.0, 4.0]], [[-1.0, 1.0], [3.0, 5.0]]))
    0.5
    """
    r2, counts = _task_r2(*_checked(predictions, targets, weights))
    return _mean(r2, counts > 0)


def weighted_r2(predictions: ArrayLike, targets: ArrayLike, weights: ArrayLike | None = None) -> Array:
    """The mean of the tasks' R² by their rows, Σₜ nₜ R²ₜ / Σₜ nₜ; constant targets are left out.

    >>> import jaxreg as jr
    >>> float(jr.metrics.weighted_r2([[-1.0, 1.0], [4.0, 4.0]], [[-1.0, 1.0], [3.0, 5.0]]))
    0.5
    """
    return _mean(*_task_r2(*_checked(predictions, targets, weights)))


def mean_task_accuracy(predictions: ArrayLike, targets: ArrayLike, weights: ArrayLike | None = None) -> Array:
    """The mean over tasks of the share of right classes, 1/T Σₜ Σᵢ wₜᵢ [ĉₜᵢ = yₜᵢ] / nₜ.

    Predictions are scores: of shape (T, m) the class is 1 where the score is above 0 and 0 elsewhere, of shape
    (T, m, k) it is that of the largest. Subtract ½ from probabilities.

    >>> import jaxreg as jr
    >>> float(jr.metrics.mean_task_accuracy([[2.0, -1.0], [3.0, 1.0]], [[1, 0], [1, 0]]))
    0.75
    """
    scores = _floating(predictions)
    missing = jnp.isnan(scores).any(-1) if scores.ndim == 3 else jnp.isnan(scores)
    classes = jnp.argmax(scores, -1) if scores.ndim == 3 else scores > 0
    c, y, w = _checked(jnp.where(missing, jnp.nan, classes), targets, weights)
    right = jnp.where(jnp.isnan(c) | jnp.isnan(y), jnp.nan, c == y)
    counts = jnp.sum(w, 1)
    return _mean(_per(counts, w * right), counts > 0)


def mean_task_auc(predictions: ArrayLike, targets: ArrayLike, weights: ArrayLike | None = None) -> Array:
    """The mean over tasks of the area under the ROC curve, ties by ranks; tasks with one class are left out.

    AUCₜ = Σ wₜᵢ wₜⱼ ([zₜᵢ > zₜⱼ] + ½ [zₜᵢ = zₜⱼ]) / Σ wₜᵢ wₜⱼ over pairs of a target yₜᵢ > 0 and one yₜⱼ <= 0, from
    one sort of each task (Hanley and McNeil 1982).

    >>> import jaxreg as jr
    >>> float(jr.metrics.mean_task_auc([[3.0, 1.0, 1.0, 0.0]], [[1, 1, 0, 0]]))
    0.875
    """
    areas, pairs = jax.vmap(_auc)(*_checked(predictions, targets, weights))
    return _mean(areas, pairs != 0)


def delta_m(values: ArrayLike, baseline: ArrayLike, higher: Sequence[bool]) -> Array:
    """Δm in percent, 100/T Σₜ ±(Mₜ - Bₜ)/|Bₜ| over the last axis: above 0 is better than the baseline, on average.

    The sign is + for a metric of which `higher` is better and - for one of which lower is; there is one entry per task
    and no default, since the literature writes both signs (Maninis et al. 2019; above 0 is worse in Navon et al.
    2022). Raises ValueError for shapes that do not agree and a concrete baseline of 0.

    >>> import jaxreg as jr
    >>> float(jr.metrics.delta_m([1.0, 2.0], [0.5, 1.0], higher=[True, False]))
    0.0
    """
    m, b = _floating(values), _floating(baseline)
    if m.ndim < 1 or len(higher) != m.shape[-1] or b.shape[-1:] != m.shape[-1:]:
        raise ValueError(
            f"delta_m: values have shape {m.shape}, baseline {b.shape}, higher {len(higher)} entries; expected one "
            "number per task on the last axis of all."
        )
    if not isinstance(b, jax.core.Tracer) and np.any(np.asarray(b) == 0):
        raise ValueError("delta_m: the baseline has a metric of 0, relative to which nothing can be said.")
    m, b = jnp.broadcast_arrays(m, b)
    sign = jnp.broadcast_to(jnp.where(jnp.asarray(higher, bool), 1.0, -1.0).astype(m.dtype), m.shape)
    return 100 * jnp.mean(sign * (m - b) / jnp.abs(b), -1)


def mean_and_sd(values: ArrayLike) -> tuple[Array, Array]:
    """Mean and standard deviation over the first axis, such as seeds: √(Σ (v - v̄)² / (n - 1)); NaN for a single one.

    It is a standard deviation (ddof 1), neither a variance nor a standard error.

    >>> import jaxreg as jr
    >>> [round(float(v), 4) for v in jr.metrics.mean_and_sd([1.0, 3.0])]
    [2.0, 1.4142]
    """
    found = _floating(values)
    mean = jnp.mean(found, 0)
    return mean, jnp.std(found, 0, ddof=1) if len(found) > 1 else jnp.full_like(mean, jnp.nan)


def _floating(values: Any) -> Array:
    made = jnp.asarray(values)
    return made if jnp.issubdtype(made.dtype, jnp.floating) else made.astype(float)


def _checked(predictions: Any, targets: Any, weights: Any) -> tuple[Array, Array, Array]:
    """Predictions, targets and weights of one dtype, 0 wherever the weight is. Raises ValueError for other shapes."""
    z, y = _floating(predictions), _floating(targets)
    w = jnp.ones(y.shape) if weights is None else _floating(weights)
    if not z.ndim == 2 or not z.shape == y.shape == w.shape:
        raise ValueError(
            f"metrics: predictions have shape {z.shape}, targets {y.shape} and weights {w.shape}; expected (tasks, "
            "rows) for all. Build them with jaxreg.tasks."
        )
    dtype = jnp.result_type(z, y)
    keep = w > 0
    return jnp.where(keep, z, 0).astype(dtype), jnp.where(keep, y, 0).astype(dtype), jnp.where(keep, w, 0).astype(dtype)


def _squares(z: Array, y: Array, w: Array) -> Array:
    return w * jnp.square(z - y)


def _about_mean(y: Array, w: Array) -> Array:
    """wₜᵢ (yₜᵢ - ȳₜ)², exactly 0 for a constant target."""
    mean = _per(jnp.sum(w, 1), w * y)[:, None]
    low = jnp.min(jnp.where(w > 0, y, jnp.inf), 1, keepdims=True)
    high = jnp.max(jnp.where(w > 0, y, -jnp.inf), 1, keepdims=True)
    return jnp.where(high == low, 0.0, w * jnp.square(y - mean))


def _per(counts: Array, terms: Array) -> Array:
    """Σᵢ termsₜᵢ / nₜ, 0 for a task without weight."""
    return jnp.sum(terms, 1) / jnp.where(counts > 0, counts, 1.0)


def _mean(values: Array, weights: Array) -> Array:
    """The weighted mean over tasks, NaN where no weight is positive."""
    w = weights.astype(values.dtype)
    return jnp.sum(jnp.where(w > 0, w * values, 0.0)) / jnp.sum(w)


def _task_r2(z: Array, y: Array, w: Array) -> tuple[Array, Array]:
    """R² of every task, and nₜ, or 0 for a constant target."""
    total = jnp.sum(_about_mean(y, w), 1)
    constant = total == 0
    r2 = 1 - jnp.sum(_squares(z, y, w), 1) / jnp.where(constant, 1.0, total)
    return r2, jnp.where(constant, 0.0, jnp.sum(w, 1))


def _auc(z: Array, y: Array, w: Array) -> tuple[Array, Array]:
    """The area of one task, and the weight of its pairs."""
    up = jnp.where(jnp.isnan(y), y, jnp.where(y > 0, w, 0.0))
    down = w - up
    order = jnp.argsort(z)
    below = jnp.concatenate([jnp.zeros(1, w.dtype), jnp.cumsum(down[order])])
    sorted_z = z[order]
    ranks = below[jnp.searchsorted(sorted_z, z, side="left")] + below[jnp.searchsorted(sorted_z, z, side="right")]
    pairs = jnp.sum(up) * jnp.sum(down)
    area = jnp.sum(up * ranks) / 2 / jnp.where(pairs == 0, 1.0, pairs)
    return jnp.where(jnp.isnan(z).any(), jnp.nan, area), pairs
