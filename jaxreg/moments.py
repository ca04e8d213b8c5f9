"""Additive statistics: all that squared loss needs of the rows, added over chunks and tasks, subtracted over folds."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxreg._linalg import einsum, matmul
from jaxreg._pytree import pytree
from jaxreg._typing import Array, ArrayLike


@pytree
class Moments:
    """Weight, means and centred second moments of rows (X, y); `a + b` joins samples, `a - b` removes one.

    Stored centred, and joined by the update of Chan, Golub and LeVeque (1983), so that a large mean costs no digits.
    Shapes: `weight` (), `x_mean` (p,), `y_mean` () or (k,), `xx` (p, p), `xy` (p,) or (p, k), `yy` () or (k,). Any
    leading axes (folds, tasks) are a batch.

    >>> import numpy as np, jaxreg as jr
    >>> X, y = np.arange(8.0).reshape(4, 2), np.arange(4.0)
    >>> both = jr.moments(X[:2], y[:2]) + jr.moments(X[2:], y[2:])
    >>> bool(np.allclose(both.xx, jr.moments(X, y).xx))
    True
    """

    weight: Array
    x_mean: Array
    y_mean: Array
    xx: Array
    xy: Array
    yy: Array

    def __add__(self, other: Moments | int) -> Moments:
        if isinstance(other, int) and other == 0:
            return self
        if not isinstance(other, Moments):
            return NotImplemented
        return _join(self, other, 1.0)

    __radd__ = __add__

    def __sub__(self, other: Moments) -> Moments:
        return _join(self, other, -1.0)

    @property
    def x_std(self) -> Array:
        """Standard deviation of each feature, dividing by the weight (no correction); 0 for a constant one."""
        return jnp.sqrt(jnp.maximum(jnp.diagonal(self.xx, axis1=-2, axis2=-1), 0.0) / _pad(_safe(self.weight), 1))

    def rescale(self, scale: Array) -> Moments:
        """The moments of X / scale, scale of shape (p,)."""
        s = jnp.asarray(scale, self.xx.dtype)
        outputs = self.xy.ndim - self.x_mean.ndim
        return Moments(
            self.weight,
            self.x_mean / s,
            self.y_mean,
            self.xx / (s[..., :, None] * s[..., None, :]),
            self.xy / _pad(s, outputs),
            self.yy,
        )

    def gram(self, centre: bool = True) -> tuple[Array, Array, Array]:
        """Per unit weight: X'X (p, p), X'y and y'y, about the means or about zero."""
        w = _safe(self.weight)
        outputs = self.xy.ndim - self.x_mean.ndim
        xx, xy, yy = self.xx / _pad(w, 2), self.xy / _pad(w, 1 + outputs), self.yy / _pad(w, outputs)
        if centre:
            return xx, xy, yy
        mx, my = self.x_mean, self.y_mean
        cross = mx[..., :, None] * my[..., None, :] if outputs else mx * _pad(my, 1)
        return xx + mx[..., :, None] * mx[..., None, :], xy + cross, yy + jnp.square(my)

    def squared_error(self, coef: Array, intercept: Array | float = 0.0) -> Array:
        """Mean over the sample of (y - Xw - b)² without touching X again, summed over outputs."""
        xx, xy, yy = self.gram()
        if self.xy.ndim == self.x_mean.ndim:
            quad = jnp.sum(coef * (_apply(xx, coef) - 2 * xy), -1)
            bias = self.y_mean - jnp.sum(self.x_mean * coef, -1) - intercept
            return jnp.maximum(yy + quad, 0.0) + jnp.square(bias)
        quad = jnp.sum(coef * (matmul(xx, coef) - 2 * xy), -2)
        bias = self.y_mean - einsum("...p,...pk->...k", self.x_mean, coef) - intercept
        return jnp.sum(jnp.maximum(yy + quad, 0.0) + jnp.square(bias), -1)


def moments(X: ArrayLike, y: ArrayLike, weights: ArrayLike | None = None) -> Moments:
    """Moments of the rows of X (n, p) and y (n,) or (n, k) with sample weights (n,), in X's dtype.

    Means are subtracted before products are formed. A sample of weight 0 has zero moments.

    >>> import numpy as np, jaxreg as jr
    >>> m = jr.moments(np.array([[1.0], [3.0]]), np.array([2.0, 4.0]))
    >>> float(m.xx[0, 0]), float(m.weight)
    (2.0, 2.0)
    """
    X = jnp.asarray(X)
    y = jnp.asarray(y, X.dtype)
    w = jnp.ones(X.shape[0], X.dtype) if weights is None else jnp.asarray(weights, X.dtype)
    total = _safe(jnp.sum(w))
    x_mean, y_mean = matmul(w, X) / total, matmul(w, y) / total
    Xc, yc = X - x_mean[None], y - y_mean[None]
    wX = Xc * w[:, None]
    yy = jnp.sum(jnp.square(yc) * (w if y.ndim == 1 else w[:, None]), 0)
    return Moments(jnp.sum(w), x_mean, y_mean, matmul(wX.T, Xc), matmul(wX.T, yc), yy)


def fold_moments(X: Array, y: Array, weights: Array, masks: Array, order: Array | None) -> Moments:
    """Moments of the held-out rows of each fold, leading axis K.

    `order` (K, m), the row numbers of each fold padded with n, makes it one pass over X; without it every fold masks
    all rows.
    """
    if order is None:
        return jax.lax.map(lambda mask: moments(X, y, weights * mask.astype(weights.dtype)), masks)
    real = order < X.shape[0]
    rows = jnp.where(real, order, 0)
    return jax.lax.map(
        lambda rm: moments(X[rm[0]], y[rm[0]], weights[rm[0]] * rm[1].astype(weights.dtype)), (rows, real)
    )


def joined(parts: Moments) -> Moments:
    """All samples of a leading axis as one."""
    first, rest = jax.tree.map(lambda x: x[0], parts), jax.tree.map(lambda x: x[1:], parts)
    return jax.lax.scan(lambda whole, part: (whole + part, None), first, rest)[0]


def left_out(total: Moments, parts: Moments) -> Moments:
    """A sample less each of its parts, which have a leading axis, then the whole of it."""
    rest = jax.vmap(lambda part: total - part)(parts)
    return jax.tree.map(lambda a, b: jnp.concatenate([a, b[None]]), rest, total)


def _join(a: Moments, b: Moments, sign: float) -> Moments:
    """Samples joined, or one less another; nothing at all is left of a sample less itself, not even its means."""
    weight = a.weight + sign * b.weight
    rounding = 4 * jnp.finfo(jnp.result_type(weight)).eps * a.weight if sign < 0 else 0.0
    left = weight > rounding
    total = jnp.where(left, weight, 1.0)
    dx, dy = b.x_mean - a.x_mean, b.y_mean - a.y_mean
    outputs = a.xy.ndim - a.x_mean.ndim
    part = b.weight / total
    cross = a.weight * part
    outer = dx[..., :, None] * dx[..., None, :]
    xy = dx[..., :, None] * dy[..., None, :] if outputs else dx * _pad(dy, 1)
    joined = Moments(
        weight,
        a.x_mean + sign * _pad(part, 1) * dx,
        a.y_mean + sign * _pad(part, outputs) * dy,
        a.xx + sign * (b.xx + _pad(cross, 2) * outer),
        a.xy + sign * (b.xy + _pad(cross, 1 + outputs) * xy),
        a.yy + sign * (b.yy + _pad(cross, outputs) * jnp.square(dy)),
    )
    return jax.tree.map(lambda x: jnp.where(_pad(left, x.ndim - left.ndim), x, 0.0), joined)


def _safe(weight: Array) -> Array:
    return jnp.where(weight > 0, weight, 1.0)


def _pad(x: Array, axes: int) -> Array:
    return x.reshape(x.shape + (1,) * axes)


def _apply(matrix: Array, vector: Array) -> Array:
    return matmul(matrix, vector[..., None])[..., 0]
