"""Tasks on a graph, in time, or drawn together in pairs."""

from __future__ import annotations

from typing import Any

from jaxreg.multitask_models._model import TaskModel, model, plus, strength
from jaxreg.penalties import L1, L2, TV1D, Chain, Clustered, Graph, Ridge


def graph(coupling: Any, laplacian: Any, lasso: Any = 0.0, ridge: Any = 0.0, *, intercept: bool = True) -> TaskModel:
    """Tasks near their neighbours, coupling/2 tr(WᵀLW) + lasso ‖W‖₁ + ridge/2 ‖W‖² (Evgeniou et al. 2005).

    `laplacian` L (tasks, tasks); for edges give `Graph.edges(pairs, tasks).laplacian`. With the lasso it is the sparse
    graph-regularised model of Zhou, Chen and Ye (2011, MALSAR).

    >>> import numpy as np, jaxreg as jr
    >>> L = jr.Graph.edges([(0, 1)], 2).laplacian
    >>> jr.multitask_models.graph(1.0, L).init((np.ones((2, 4, 3)), np.ones((2, 4))))["coef"].shape
    (2, 3)
    """
    near = plus(strength("coupling", coupling) * Graph.of(laplacian), "ridge", ridge, Ridge())
    return model(plus(near, "lasso", lasso, L1()), intercept)


def temporal(smooth: Any, features: Any, ridge: Any = 0.0, *, intercept: bool = True) -> TaskModel:
    """Tasks in time, smooth/2 Σₜ ‖wₜ₊₁ - wₜ‖² + features Σⱼ ‖wⱼ‖ + ridge/2 ‖W‖² (Zhou et al. 2011).

    >>> import jaxreg as jr
    >>> jr.multitask_models.temporal(1.0, 0.3).penalty
    1.0 * Chain() + 0.3 * L2(axis=0)
    """
    joint = plus(strength("features", features) * L2(axis=0), "ridge", ridge, Ridge())
    return model(strength("smooth", smooth) * Chain(axis=0) + joint, intercept)


def fused_sparse_group(fused: Any, features: Any, entries: Any, *, intercept: bool = True) -> TaskModel:
    """Tasks in time that change seldom, fused Σₜ ‖wₜ₊₁ - wₜ‖₁ + features Σⱼ ‖wⱼ‖ + entries ‖W‖₁ (Zhou et al. 2012).

    >>> import jaxreg as jr
    >>> jr.multitask_models.fused_sparse_group(1.0, 0.3, 0.1).penalty
    1.0 * TV1D(axis=0) + 0.1 * L1() + 0.3 * L2(axis=0)
    """
    inner = strength("fused", fused) * TV1D(axis=0) + strength("entries", entries) * L1()
    return model(inner + strength("features", features) * L2(axis=0), intercept)


def convex_clustering(pairs: Any, weights: Any = None, *, intercept: bool = True) -> TaskModel:
    """Tasks that meet are one, pairs Σ_{s<t} wₛₜ ‖wₛ - wₜ‖ (Hocking et al. 2011); `weights` (tasks, tasks), 1 if None.

    >>> import jaxreg as jr
    >>> jr.multitask_models.convex_clustering(0.5).penalty
    0.5 * Clustered(weights=None)
    """
    return model(strength("pairs", pairs) * Clustered(weights), intercept)
