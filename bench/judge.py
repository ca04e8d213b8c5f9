"""The judge: primal, dual and gap of a lasso, of one output or several, in float64 NumPy; it asks no player."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from bench.problems import Problem, held_out, mean_loss, scores

_TINY = np.finfo(float).tiny


class Verdict(NamedTuple):
    """Objective, a lower bound for it, and their difference over the mean deviance of the best constant, halved."""

    primal: np.ndarray
    dual: np.ndarray
    gap: np.ndarray


class Answer(NamedTuple):
    """What a player found: coefficients (fits, L, p), intercepts (fits, L), held-out mean losses (fits, L)."""

    coef: np.ndarray
    intercept: np.ndarray
    scores: np.ndarray | None = None


def judge(
    X: Any, y: np.ndarray, strengths: np.ndarray, coef: np.ndarray, intercept: np.ndarray, loss: str = "squared"
) -> Verdict:
    """Judge fits (L, p), (L,) of mean ℓ(b + Xw, y) + s ‖w‖₁, one per strength.

    The gap is relative to the best constant's mean loss above that of perfect predictions, for squared loss ½ var(y).
    """
    coef, intercept = np.asarray(coef, np.float64), np.asarray(intercept, np.float64)
    z = scores(X, coef, intercept)
    primal = mean_loss(loss, z, y) + strengths * np.abs(coef).sum(1)
    dual = _squared(X, y, strengths, z) if loss == "squared" else _glm(X, y, strengths, z, loss)
    return Verdict(primal, dual, (primal - dual) / scale(y, loss))


def _squared(X: Any, y: np.ndarray, strengths: np.ndarray, z: np.ndarray) -> np.ndarray:
    """The bound at the residual, centred because the intercept is free, times the best scale with |X'θ| <= s n."""
    n = len(y)
    theta = y - z
    theta -= theta.mean(1, keepdims=True)
    square, pull = np.sum(theta**2, 1), theta @ y
    most = strengths * n / np.maximum(np.abs(theta @ X).max(1), _TINY)
    scale = np.clip(pull / np.maximum(square, _TINY), -most, most)
    return (scale * pull - 0.5 * scale**2 * square) / n


def judge_rows(X: np.ndarray, Y: np.ndarray, strengths: np.ndarray, coef: np.ndarray, intercept: np.ndarray) -> Verdict:
    """Judge fits (L, p, T), (L, T) of ½ mean ‖b + W'x - y‖² + s Σ ‖rows of W‖, one per strength.

    The bound is at the centred residual, times the best scale at which every norm of X'Θ is at most s n.
    """
    primal, dual, n = np.zeros(len(strengths)), np.zeros(len(strengths)), len(Y)
    for i, (s, W, b) in enumerate(zip(strengths, np.asarray(coef, float), np.asarray(intercept, float), strict=True)):
        theta = Y - X @ W - b
        primal[i] = 0.5 * np.sum(theta**2) / n + s * np.linalg.norm(W, axis=1).sum()
        theta -= theta.mean(0)
        square, pull = np.sum(theta**2), np.sum(theta * Y)
        most = s * n / max(np.linalg.norm(theta.T @ X, axis=0).max(), _TINY)
        scale = np.clip(pull / max(square, _TINY), -most, most)
        dual[i] = (scale * pull - 0.5 * scale**2 * square) / n
    return Verdict(primal, dual, (primal - dual) / (0.5 * np.sum((Y - Y.mean(0)) ** 2) / n))


def _glm(X: Any, y: np.ndarray, strengths: np.ndarray, z: np.ndarray, loss: str) -> np.ndarray:
    """The bound -mean ℓ*(θ) at the slopes θ of the loss at the best intercept, shrunk to Σθ = 0 and |X'θ| <= s n.

    ℓ* at θ = q - y is the negative entropy of q (logistic), or q log q - q (Poisson).
    """
    theta = _mean(_recentred(z, y, loss), loss) - y
    up, down = np.maximum(theta, 0).sum(1, keepdims=True), np.maximum(-theta, 0).sum(1, keepdims=True)
    least = np.minimum(up, down)
    theta *= np.where(theta > 0, least / np.maximum(up, _TINY), least / np.maximum(down, _TINY))
    most = strengths * len(y) / np.maximum(np.abs(theta @ X).max(1), _TINY)
    q = y + np.minimum(most, 1.0)[:, None] * theta
    return -np.mean(_conjugate(q, loss), 1)


def _mean(z: np.ndarray, loss: str) -> np.ndarray:
    return np.exp(z) if loss == "poisson" else 0.5 * (1.0 + np.tanh(0.5 * z))


def _recentred(z: np.ndarray, y: np.ndarray, loss: str) -> np.ndarray:
    """Scores moved by the constant that makes predicted and true means agree, by Newton steps of at most 1."""
    for _ in range(50):
        mean = _mean(z, loss)
        slope = mean.sum(1) if loss == "poisson" else (mean * (1 - mean)).sum(1)
        move = np.clip((y.sum() - mean.sum(1)) / np.maximum(slope, _TINY), -1.0, 1.0)
        z = z + move[:, None]
        if np.abs(move).max() < 1e-14:
            break
    return z


def _conjugate(q: np.ndarray, loss: str) -> np.ndarray:
    q = np.maximum(q, 0.0)
    return _xlogx(q) - q if loss == "poisson" else _xlogx(q) + _xlogx(np.maximum(1.0 - q, 0.0))


def _xlogx(q: np.ndarray) -> np.ndarray:
    return q * np.log(np.maximum(q, _TINY))


def scale(y: np.ndarray, loss: str) -> float:
    """What gaps are relative to: the best constant's mean loss above that of perfect predictions."""
    if loss == "squared":
        return 0.5 * np.var(y)
    return float(np.mean(_conjugate(y, loss)) - _conjugate(np.mean(y), loss))


def largest_gap(problem: Problem, answer: Answer) -> float:
    """The worst relative gap over all fits and strengths; infinite for answers that are not finite."""
    if not (np.isfinite(answer.coef).all() and np.isfinite(answer.intercept).all()):
        return float("inf")
    fits = zip(problem.samples(), answer.coef, answer.intercept, strict=True)
    by = judge_rows if problem.loss == "rows" else partial(judge, loss=problem.loss)
    gaps = [by(X, y, problem.strengths, w, b).gap for (X, y), w, b in fits]
    worst = float(np.max(gaps))
    return worst if np.isfinite(worst) else float("inf")


def pooled(problems: Sequence[Problem], answers: Sequence[Answer]) -> float:
    """The largest over folds and strengths of the gaps summed over problems, relative to the sum of their scales."""
    gaps, scales = 0.0, 0.0
    for problem, answer in zip(problems, answers, strict=True):
        fits = list(zip(problem.samples(), answer.coef, answer.intercept, strict=True))
        verdicts = [judge(X, y, problem.strengths, w, b, problem.loss) for (X, y), w, b in fits]
        gaps = gaps + np.stack([verdict.primal - verdict.dual for verdict in verdicts])
        scales = scales + np.array([[scale(y, problem.loss)] for (_, y), _, _ in fits])
    worst = float(np.max(gaps / scales))
    return worst if np.isfinite(worst) else float("inf")


def score_error(problem: Problem, answer: Answer) -> float:
    """Distance of the player's held-out scores from those of its own coefficients, over the largest."""
    if answer.scores is None:
        return 0.0
    true = held_out(problem, answer.coef, answer.intercept)
    return float(np.abs(answer.scores - true).max() / np.abs(true).max())
