"""Members on singular values and eigenvalues."""

import cvxpy as cp
import numpy as np

import jaxreg as jr
from members._member import MATRIX, SQUARE, Member

RISING = np.array([0.0, 0.4, 1.5])


def _by_eigenvalues(shrink):
    """prox in NumPy that maps singular values, found as roots of the eigenvalues of xᵀx on the short side."""

    def prox(x, step):
        values, vectors = np.linalg.eigh(x @ x.T)
        s = np.sqrt(np.maximum(values, 0))[::-1]
        ratio = shrink(s, step) / s
        return (vectors[:, ::-1] * ratio) @ vectors[:, ::-1].T @ x

    return prox


def _clustered(s, step, k=2, epsilon=0.3):
    """σ (ε + μ)/(ε + μ + step), μ by bisection on the multiplier of Σμ <= k."""

    def mu(c):
        return np.clip(c * s - step - epsilon, 0, 1)

    low, high = 0.0, (1 + step + epsilon) / s.min()
    for _ in range(200):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if mu(middle).sum() < k else (low, middle)
    return s * (epsilon + mu(high)) / (epsilon + mu(high) + step)


def _psd(z):
    return 0, [z == z.T, 0.5 * (z + z.T) >> 0]


MEMBERS = (
    Member("nuclear", jr.Nuclear(), MATRIX, lambda z: (cp.normNuc(z), [])),
    Member(
        "weighted-nuclear",
        jr.WeightedNuclear(RISING),
        MATRIX,
        slow=_by_eigenvalues(lambda s, step: np.maximum(s - step * RISING, 0)),
    ),
    Member("spectral-norm", jr.SpectralNorm(), MATRIX, lambda z: (cp.sigma_max(z), [])),
    Member("squared-nuclear", jr.SquaredNuclear(), MATRIX, lambda z: (0.5 * cp.square(cp.normNuc(z)), [])),
    Member("cluster-norm", jr.ClusterNorm(2, 0.3), MATRIX, slow=_by_eigenvalues(_clustered)),
    Member("rank", jr.Rank(), MATRIX, slow=_by_eigenvalues(lambda s, step: s * (s**2 > 2 * step))),
    Member("nuclear-ball", jr.NuclearBall(2.0), MATRIX, lambda z: (0, [cp.normNuc(z) <= 2.0])),
    Member("spectral-ball", jr.SpectralBall(0.8), MATRIX, lambda z: (0, [cp.sigma_max(z) <= 0.8])),
    Member("rank-ball", jr.RankBall(2), MATRIX, slow=_by_eigenvalues(lambda s, step: s * (np.arange(3) < 2))),
    Member("psd", jr.PSD(), SQUARE, _psd),
)
