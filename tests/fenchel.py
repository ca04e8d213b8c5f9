"""A judge of fits of linear models in float64 NumPy, by Fenchel duality; it shares nothing with the library."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

_TINY = np.finfo(float).tiny
_ROUNDING = 16


class Curve(NamedTuple):
    """A loss, its slope and its conjugate, each of a prediction or a dual and a target."""

    value: Callable
    slope: Callable
    conjugate: Callable


def _xlogx(q):
    return np.where(q > 0, q * np.log(np.maximum(q, _TINY)), 0.0)


def _short(z, y):
    return np.maximum(1 - (2 * y - 1) * z, 0)


def huber(delta: float) -> Curve:
    return Curve(
        lambda z, y: np.where(abs(z - y) <= delta, 0.5 * (z - y) ** 2, delta * abs(z - y) - 0.5 * delta**2),
        lambda z, y: np.clip(z - y, -delta, delta),
        lambda a, y: 0.5 * a**2 + a * y,
    )


CURVES = {
    "squared": Curve(lambda z, y: 0.5 * (z - y) ** 2, lambda z, y: z - y, lambda a, y: 0.5 * a**2 + a * y),
    "logistic": Curve(
        lambda z, y: np.logaddexp(0, z) - y * z,
        lambda z, y: 0.5 * (1 + np.tanh(0.5 * z)) - y,
        lambda a, y: _xlogx(np.clip(a + y, 0, 1)) + _xlogx(np.clip(1 - a - y, 0, 1)),
    ),
    "poisson": Curve(
        lambda z, y: np.exp(z) - y * z,
        lambda z, y: np.exp(z) - y,
        lambda a, y: _xlogx(a + y) - (a + y),
    ),
    "huber": huber(0.7),
    "squared hinge": Curve(
        lambda z, y: _short(z, y) ** 2,
        lambda z, y: -2 * (2 * y - 1) * _short(z, y),
        lambda a, y: (2 * y - 1) * a + 0.25 * a**2,
    ),
}


class Shape(NamedTuple):
    """Σ entries |w| + ½ ridge Σ w², with rows' norms for |w| where there are outputs, w >= 0 where positive."""

    entries: np.ndarray
    ridge: float = 0.0
    positive: bool = False

    def value(self, size: np.ndarray) -> float:
        used = size > 0
        return float(self.entries[used] @ size[used] + 0.5 * self.ridge * size @ size)

    def conjugate(self, pull: np.ndarray) -> float:
        """Of pulls within the entries, where there is no ridge."""
        over = np.maximum(pull - self.entries, 0.0)
        return float(over @ over / (2 * self.ridge)) if self.ridge else 0.0


@np.errstate(over="ignore", invalid="ignore")
def relative_gap(curve: Curve, shape: Shape, data, rows, coef, bias) -> float:
    """(primal - dual) / objective at zero, for weights `rows`, coefficients (p,) or (p, T), bias None or a number.

    The dual points are the slopes, centred or with the heavier sign shrunk where the bias is free, whole or shrunk
    into the penalty's polar; the best bound counts. Pulls are known to `_ROUNDING` units of the data's precision.
    """
    (X, y), w = (np.asarray(a, float) for a in data), np.asarray(coef, float)
    eps = np.finfo(data[1].dtype).eps
    if shape.positive and (w < 0).any():
        return np.inf
    Y, W = y.reshape(len(y), -1), w.reshape(len(w), -1)
    free, share = bias is not None, (np.asarray(rows, float) / np.sum(rows, dtype=float))[:, None]
    Z = X @ W + (np.asarray(bias, float).reshape(1, -1) if free else 0.0)
    primal = np.sum(share * curve.value(Z, Y)) + shape.value(np.linalg.norm(W, axis=1))
    bounds = []
    for slopes in _balanced(curve, share, Z, Y) if free else [curve.slope(Z, Y)]:
        pulls = -(share * slopes).T @ X
        pull = np.maximum(pulls[0], 0) if shape.positive else np.linalg.norm(pulls, axis=0)
        terms = (share * (abs(slopes) + abs(Z) + abs(Y))).T @ abs(X)
        pull = np.maximum(pull - _ROUNDING * eps * np.linalg.norm(terms, axis=0), 0)
        most = 1 / max(np.max(pull / np.maximum(shape.entries, _TINY)), 1.0)
        for k in (most, 1.0) if shape.ridge else (most,):
            bounds.append(-np.sum(share * curve.conjugate(k * slopes, Y)) - shape.conjugate(k * pull))
    return (primal - max(bounds)) / _scale(curve, share, Y, free, eps)


def _balanced(curve: Curve, share, Z, Y) -> list[np.ndarray]:
    slopes = curve.slope(Z, Y)
    up, down = (np.sum(share * np.maximum(sign * slopes, 0), 0) for sign in (1, -1))
    least = np.minimum(up, down)
    made = [slopes * np.where(slopes > 0, least / np.maximum(up, _TINY), least / np.maximum(down, _TINY))]
    return [*made, slopes - np.sum(share * slopes, 0)] if curve is CURVES["squared"] else made


def _scale(curve: Curve, share, Y, free: bool, eps: float) -> float:
    """The objective at zero coefficients; for least squares a free bias stays at its own fit, known to rounding."""
    away = Y - np.sum(share * Y, 0) if free and curve is CURVES["squared"] else Y
    rounding = eps * np.sum(share * curve.value(0 * Y, Y))
    return max(abs(np.sum(share * curve.value(0 * Y, away))), rounding, _TINY)
