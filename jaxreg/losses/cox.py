"""Times to an event, some of them censored: proportional hazards."""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg._pytree import pytree, static
from jaxreg._typing import Array, ArrayLike
from jaxreg.losses._base import Loss, pair

Ties = Literal["breslow", "efron"]


@pytree
class Cox(Loss):
    """Cox's partial likelihood (1972) of log hazards z, for targets (n, 2): time and event (1 observed, 0 censored).

    With R the rows still at risk at time t and D its events, an event costs log Σ_R w eᶻ - z with `breslow` ties
    (Breslow 1974), or the mean over l < |D| of log(Σ_R w eᶻ - l/|D| Σ_D w eᶻ) less z with `efron` ties (Efron 1977); a
    censored row costs 0. Weights are divided by their mean over the rows of positive weight, so that the risk is minus
    the partial log-likelihood over n; a row of weight 0 is as good as absent. Tied times are equal numbers. An event
    other than 0 and 1 is refused; there is no intercept to fit.

    In `cross_validate` the score is minus the partial log-likelihood of the held-out rows among themselves, per row.
    That of Verweij and van Houwelingen (1993), who compare all rows with the training rows, is
    `scoring=lambda b, data, held: risk(b, data) * n - risk(b, data, 1 - held) * jnp.sum(1 - held)`.

    >>> import jax.numpy as jnp, numpy as np, jaxreg as jr
    >>> targets = jnp.array([[1.0, 1.0], [2.0, 0.0], [3.0, 1.0]])
    >>> np.asarray(jnp.exp(jr.Cox()(jnp.zeros(3), targets))).round(4).tolist()
    [3.0, 1.0, 1.0]
    """

    ties: Ties = static(default="efron")
    expects = "a time and an event that is 0 or 1"
    separable = rowwise = mixable = False
    paired = True

    def __post_init__(self) -> None:
        if self.ties not in ("breslow", "efron"):
            raise ValueError(f"Cox: ties is {self.ties!r}, expected 'breslow' or 'efron'.")

    def __call__(self, prediction: ArrayLike, target: ArrayLike, weights: ArrayLike | None = None) -> Array:
        """One number per example, whose weighted mean is the risk; predictions (n,) or (n, 1)."""
        z, y = pair(prediction, target)
        z, time, event = jnp.reshape(z, y.shape[:1]), y[:, 0], y[:, 1]
        w = jnp.ones_like(z) if weights is None else jnp.asarray(weights, z.dtype)
        counts = w > 0
        died = counts & (event > 0)
        log_w = jnp.log(jnp.where(counts, w, 1.0))
        score = jnp.where(counts, z, 0.0) + log_w
        order = jnp.argsort(time)
        first = jnp.searchsorted(time[order], time)
        at_risk = _log_tail(jnp.where(counts, score, _floor(z)), order)
        log_risk = at_risk[first] if self.ties == "breslow" else _efron(score, died, first, order, at_risk)[first]
        mean = jnp.log(jnp.sum(jnp.where(counts, w, 0.0)) / jnp.maximum(jnp.sum(counts), 1))
        value = jnp.where(died, log_risk - jnp.where(died, z, 0.0) - mean, 0.0)
        return jnp.where(counts & (jnp.isnan(time) | jnp.isnan(event) | jnp.isnan(z)), jnp.nan, value)

    def admits(self, target: np.ndarray) -> np.ndarray:
        event = (target[..., 1:] == 0) | (target[..., 1:] == 1)
        return event & (target == target)


def _floor(z: Array) -> Array:
    """Stands for the logarithm of 0 without being infinite: sums and differences of it stay numbers."""
    return jnp.asarray(0.25 * float(jnp.finfo(z.dtype).min), z.dtype)


def _log_tail(score: Array, order: Array) -> Array:
    """log Σ e^score over each position in time and all later ones, by doubling the span of the sums.

    A loop of log n steps: `jax.lax.cumlogsumexp` is as fast and takes twenty times as long to compile.
    """
    n, rest = score.shape[0], jnp.full_like(score, _floor(score))

    def double(level: Array, sums: Array) -> Array:
        later = jax.lax.dynamic_slice(jnp.concatenate([sums, rest]), (1 << level,), (n,))
        return jnp.logaddexp(sums, later)

    return jax.lax.fori_loop(0, (n - 1).bit_length(), double, score[order])


def _efron(score: Array, died: Array, first: Array, order: Array, at_risk: Array) -> Array:
    """The mean of log(R - l/|D| D) over the events of every tied time, at the position where that time begins."""
    n = score.shape[0]
    top = jax.ops.segment_max(jnp.where(died, jax.lax.stop_gradient(score), -jnp.inf), first, n)
    top = jnp.where(jnp.isfinite(top), top, 0.0)
    grown = jnp.where(died, jnp.exp(jnp.where(died, score - top[first], 0.0)), 0.0)
    sums = jax.ops.segment_sum(grown, first, n)
    log_died = top + jnp.log(jnp.where(sums > 0, sums, 1.0))
    count = jax.ops.segment_sum(died.astype(jnp.int32), first, n)
    earlier = jnp.cumsum(died[order], dtype=jnp.int32) - died[order]
    rank = jnp.zeros_like(earlier).at[order].set(earlier) - earlier[first]
    share = rank.astype(score.dtype) / jnp.maximum(count[first], 1).astype(score.dtype)
    part = jnp.minimum(jnp.exp(jnp.where(died, log_died[first] - at_risk[first], 0.0)), 1.0)
    terms = jnp.where(died, at_risk[first] + jnp.log1p(-jnp.where(died, share * part, 0.0)), 0.0)
    return jax.ops.segment_sum(terms, first, n) / jnp.maximum(count, 1).astype(score.dtype)
