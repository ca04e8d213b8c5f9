"""Slow second implementations that share no code with the library: proxes by cvxpy, gaps in float64 NumPy."""

import cvxpy as cp
import numpy as np


def cvx_prox(build, x: np.ndarray, step: float | np.ndarray) -> np.ndarray:
    """argmin of g(z) + Σ (z - x)²/(2 step), where `build(z)` returns (g, constraints) as cvxpy expressions."""
    z = cp.Variable(x.shape)
    root = np.broadcast_to(1 / np.sqrt(2 * np.asarray(step)), x.shape)
    objective, constraints = build(z)
    problem = cp.Problem(cp.Minimize(objective + cp.sum_squares(cp.multiply(root, z - x))), constraints)
    options = dict.fromkeys(("tol_gap_abs", "tol_gap_rel", "tol_feas", "tol_ktratio"), 1e-9)
    problem.solve(solver=cp.CLARABEL, **options)
    return np.asarray(z.value)


def lasso_gap(X, y, w, strength, ridge=0.0) -> tuple[float, float]:
    """Objective of 1/(2n)‖Xw - y‖² + strength‖w‖₁ + ridge/2‖w‖² and its relative duality gap."""
    n = len(y)
    r = y - X @ w
    primal = r @ r / (2 * n) + strength * np.abs(w).sum() + 0.5 * ridge * w @ w
    bounds = []
    for scale in (1.0, min(1.0, strength / max(np.abs(X.T @ r / n).max(), 1e-300))):
        u = scale * X.T @ r / n
        excess = np.maximum(np.abs(u) - strength, 0.0)
        if ridge == 0 and excess.max() > 1e-12 * strength:
            continue
        star = (excess @ excess) / (2 * ridge) if ridge else 0.0
        bounds.append((scale * r @ y - 0.5 * scale**2 * (r @ r)) / n - star)
    return primal, (primal - max(bounds)) / (y @ y / (2 * n))


def multitask_lasso_gap(X, Y, W, strength) -> tuple[float, float]:
    """Objective of 1/(2n)‖XW - Y‖² + strength Σⱼ‖Wⱼ‖, W of shape (p, tasks), and its relative duality gap."""
    n = len(Y)
    R = Y - X @ W
    primal = (R**2).sum() / (2 * n) + strength * np.linalg.norm(W, axis=1).sum()
    scale = min(1.0, strength / max(np.linalg.norm(X.T @ R / n, axis=1).max(), 1e-300))
    bound = (scale * (R * Y).sum() - 0.5 * scale**2 * (R**2).sum()) / n
    return primal, (primal - bound) / ((Y**2).sum() / (2 * n))


def logistic_gap(X, y, w, strength) -> tuple[float, float]:
    """Objective of the mean logistic loss (targets 0, 1) plus strength‖w‖₁, and its relative duality gap."""
    n = len(y)
    z = X @ w
    primal = np.logaddexp(0, z).mean() - (y * z).mean() + strength * np.abs(w).sum()
    slope = 1 / (1 + np.exp(-z)) - y
    scale = min(1.0, strength / max(np.abs(X.T @ slope / n).max(), 1e-300))
    q = np.clip(scale * slope + y, 1e-300, 1 - 1e-16)
    bound = -np.mean(q * np.log(q) + (1 - q) * np.log1p(-q))
    return primal, (primal - bound) / np.log(2)


def moments(X, y, w):
    """Weighted means and centred second moments, one row at a time."""
    total, mx, my = 0.0, np.zeros(X.shape[1]), 0.0 * y[0]
    for xi, yi, wi in zip(X, y, w, strict=True):
        total, mx, my = total + wi, mx + wi * xi, my + wi * yi
    mx, my = mx / total, my / total
    xx = sum(wi * np.outer(xi - mx, xi - mx) for xi, wi in zip(X, w, strict=True))
    xy = sum(wi * np.multiply.outer(xi - mx, yi - my) for xi, yi, wi in zip(X, y, w, strict=True))
    yy = sum(wi * (yi - my) ** 2 for yi, wi in zip(y, w, strict=True))
    return total, mx, my, xx, xy, yy


def searched_prox(g, x: np.ndarray, step: float | np.ndarray) -> np.ndarray:
    """argmin of step·g(z) + ½(z - x)² by entry, g even: a dense grid from 0 to x, narrowed ten times, against 0."""

    def objective(z: np.ndarray) -> np.ndarray:
        return step * g(z) + 0.5 * (z - x) ** 2

    low, high = np.zeros_like(x), x.copy()
    for _ in range(10):
        z = np.linspace(low, high, 2001)
        best = np.argmin(objective(z), axis=0)[None]
        low, found, high = (np.take_along_axis(z, np.clip(best + k, 0, 2000), 0)[0] for k in (-1, 0, 1))
    return np.where(objective(np.zeros_like(x)) <= objective(found), 0.0, found)


def cox(z, targets, ties, w=None) -> np.ndarray:
    """Row by row, in O(n²): minus each event's term of the weighted partial log-likelihood, weights of mean 1."""
    w = np.ones(len(z)) if w is None else w / w[w > 0].mean()
    terms = np.zeros(len(z))
    for i, (time, event) in enumerate(targets):
        if not event or w[i] == 0:
            continue
        at_risk = sum(w[j] * np.exp(z[j]) for j in range(len(z)) if targets[j, 0] >= time)
        tied = [j for j in range(len(z)) if targets[j, 0] == time and targets[j, 1] and w[j] > 0]
        died = sum(w[j] * np.exp(z[j]) for j in tied)
        cut = [ell / len(tied) * died * (ties == "efron") for ell in range(len(tied))]
        terms[i] = np.mean([np.log(at_risk - c) for c in cut]) - z[i]
    return terms
