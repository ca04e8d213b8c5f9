"""The judge: primal, dual and gap of a lasso in float64 NumPy; it asks no player."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bench.problems import Problem


class Verdict(NamedTuple):
    """Objective, a lower bound for it, and their difference over ½ var(y); one number per strength."""

    primal: np.ndarray
    dual: np.ndarray
    gap: np.ndarray


class Answer(NamedTuple):
    """What a player found: coefficients (fits, L, p), intercepts (fits, L), held-out half MSE (fits, L)."""

    coef: np.ndarray
    intercept: np.ndarray
    scores: np.ndarray | None = None


def lasso(X: np.ndarray, y: np.ndarray, strengths: np.ndarray, coef: np.ndarray, intercept: np.ndarray) -> Verdict:
    """Judge fits (L, p), (L,) of ½ mean (y - b - Xw)² + s ‖w‖₁, one per strength.

    The dual point is the residual, centred because the intercept is free, times the scale that makes the
    bound largest among those with |X'θ| <= s n. ½ var(y) is the objective at the best constant.
    """
    n = len(y)
    coef, intercept = np.asarray(coef, np.float64), np.asarray(intercept, np.float64)
    residuals = y - intercept[:, None] - coef @ X.T
    primal = 0.5 * np.mean(residuals**2, 1) + strengths * np.abs(coef).sum(1)
    theta = residuals - residuals.mean(1, keepdims=True)
    square, pull = np.sum(theta**2, 1), theta @ y
    largest = np.abs(theta @ X).max(1)
    most = strengths * n / np.maximum(largest, np.finfo(float).tiny)
    scale = np.clip(pull / np.maximum(square, np.finfo(float).tiny), -most, most)
    dual = (scale * pull - 0.5 * scale**2 * square) / n
    return Verdict(primal, dual, (primal - dual) / (0.5 * np.var(y)))


def largest_gap(problem: Problem, answer: Answer) -> float:
    """The worst relative gap over all fits and strengths; infinite for answers that are not finite."""
    if not (np.isfinite(answer.coef).all() and np.isfinite(answer.intercept).all()):
        return float("inf")
    fits = zip(problem.samples(), answer.coef, answer.intercept, strict=True)
    return max(float(lasso(X, y, problem.strengths, w, b).gap.max()) for (X, y), w, b in fits)


def score_error(problem: Problem, answer: Answer) -> float:
    """Distance of the player's held-out scores from those of its own coefficients, over the largest."""
    if answer.scores is None:
        return 0.0
    rows = zip(problem.masks, answer.coef, answer.intercept, strict=True)
    true = [0.5 * np.mean((problem.y[m] - b[:, None] - w @ problem.X[m].T) ** 2, 1) for m, w, b in rows]
    return float(np.abs(answer.scores - np.stack(true)).max() / np.max(true))
