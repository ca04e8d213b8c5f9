"""Clusters of tasks by average linkage, in NumPy: SciPy's would be most of what `import jaxreg` costs."""

from __future__ import annotations

import numpy as np


def linked(apart: np.ndarray, count: int | None = None) -> np.ndarray:
    """A label for each of T points with distances (T, T), by average linkage (Sokal and Michener 1958).

    `count` clusters, or as many as there are where heights of successive merges, 0 before the first, jump furthest.

    >>> linked(np.array([[0.0, 0.1, 1.0], [0.1, 0.0, 1.0], [1.0, 1.0, 0.0]])).tolist()
    [0, 0, 2]
    """
    pairs, heights = _merges(apart)
    kept = int(np.argmax(np.diff(heights, prepend=0.0))) if count is None and pairs else len(apart) - (count or 1)
    labels = np.arange(len(apart))
    for into, gone in pairs[:kept]:
        labels[labels == gone] = into
    return labels


def _merges(apart: np.ndarray) -> tuple[list[tuple[int, int]], np.ndarray]:
    """Pairs of clusters, each by its lowest member, in the order in which they meet, and their distances."""
    D, sizes = np.array(apart, float), np.ones(len(apart))
    np.fill_diagonal(D, np.inf)
    pairs, heights = [], []
    for _ in range(len(D) - 1):
        into, gone = sorted(int(i) for i in np.unravel_index(np.argmin(D), D.shape))
        pairs.append((into, gone))
        heights.append(D[into, gone])
        mean = (sizes[into] * D[into] + sizes[gone] * D[gone]) / (sizes[into] + sizes[gone])
        D[into], D[:, into] = mean, mean
        D[gone], D[:, gone], D[into, into] = np.inf, np.inf, np.inf
        sizes[into] += sizes[gone]
    return pairs, np.array(heights)
