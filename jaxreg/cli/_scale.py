"""The size of a problem, in closed form: where paths begin, and what makes two strengths comparable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Scale:
    """The risk's gradient (T, p) at the tasks' intercepts alone, up to its sign, and its largest curvature."""

    gradient: np.ndarray
    curvature: float

    @property
    def entries(self) -> float:
        """The strength from which Σ|wₜⱼ| alone excludes everything."""
        return _positive(np.abs(self.gradient).max())

    @property
    def features(self) -> float:
        """That of Σⱼ ‖wⱼ‖ over features."""
        return _positive(np.linalg.norm(self.gradient, axis=0).max())

    @property
    def most(self) -> float:
        """That of Σⱼ max|wⱼ| over features."""
        return _positive(np.abs(self.gradient).sum(0).max())

    @property
    def tasks(self) -> float:
        """That of Σₜ ‖wₜ‖ over tasks."""
        return _positive(np.linalg.norm(self.gradient, axis=1).max())

    @property
    def rank(self) -> float:
        """That of Σ σᵢ."""
        return _positive(np.linalg.norm(self.gradient, 2))

    @property
    def size(self) -> float:
        """The largest Σₜ|wₜⱼ| over features, were tasks equally large and features uncorrelated."""
        return self.most * len(self.gradient)

    @property
    def factors(self) -> float:
        """About that of Σ‖loads‖₁ + ½‖basis‖² on a product of both, which as a function of it grows like 3/2 |w|^⅔."""
        return float(np.cbrt(self.tasks**4 / self.curvature))

    @property
    def pairs(self) -> float:
        """At least that from which Σ ‖wₛ - wₜ‖ over pairs makes all tasks one: their gradients' spread over T."""
        apart = self.gradient - self.gradient.mean(0)
        return _positive(np.linalg.norm(apart, axis=1).max() * 2 / len(apart))


def scale_of(data: Any, weights: Any, share: np.ndarray, loss: str) -> Scale:
    """The scale of one sample (n, p) or of tasks (T, m, p) that count as `share`; for Huber, about it."""
    X, y = (np.asarray(a) for a in data)
    w = np.ones(y.shape) if weights is None else np.asarray(weights)
    if y.ndim == 1:
        X, y, w = X[None], y[None], w[None]
    w = w / w.sum(1, keepdims=True)
    X = X - np.einsum("tm,tmp->tp", w, X)[:, None]
    bend = {"logistic": np.full(len(y), 0.25), "poisson": (w * y).sum(1)}.get(loss, np.ones(len(y)))
    grams = (s * b * (x.T * v) @ x for x, v, s, b in zip(X, w, share, bend, strict=True))
    curvature = max(float(np.linalg.eigvalsh(gram)[-1]) for gram in grams)
    residual = y - (w * y).sum(1, keepdims=True)
    residual = np.clip(residual, -1, 1) if loss == "huber" else residual
    return Scale(share[:, None] * np.einsum("tm,tmp->tp", w * residual, X), _positive(curvature))


def _positive(value: Any) -> float:
    return float(value) if value > 0 else 1.0
