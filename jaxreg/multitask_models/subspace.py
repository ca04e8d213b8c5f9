"""Tasks whose coefficients lie in few dimensions, or nearly."""

from __future__ import annotations

from typing import Any

from jaxreg.multitask_models._model import TaskModel, model, strength
from jaxreg.penalties import L1, L2, ClusterNorm, Nuclear, Ridge, SquaredNuclear


def low_rank(rank: Any, *, intercept: bool = True) -> TaskModel:
    """Few dimensions for all tasks, rank Σ σᵢ(W) (Ji and Ye 2009; Pong et al. 2010).

    >>> import jaxreg as jr
    >>> jr.multitask_models.low_rank(0.3).penalty
    0.3 * Nuclear()
    """
    return model(strength("rank", rank) * Nuclear(), intercept)


def sparse_low_rank(rank: Any, sparse: Any, *, intercept: bool = True) -> TaskModel:
    """W = low rank + sparse with rank Σ σᵢ(L) + sparse ‖S‖₁ (Chen, Liu and Ye 2010).

    >>> import jaxreg as jr
    >>> jr.multitask_models.sparse_low_rank(0.3, 0.1).penalty
    (0.3 * Nuclear()).on('low_rank') + (0.1 * L1()).on('sparse')
    """
    penalty = (strength("rank", rank) * Nuclear()).on("low_rank") + (strength("sparse", sparse) * L1()).on("sparse")
    return model(penalty, intercept, low_rank=True, sparse=True)


def robust(rank: Any, outliers: Any, *, intercept: bool = True) -> TaskModel:
    """W = low rank + outliers with rank Σ σᵢ(L) + outliers Σₜ ‖Sₜ‖ over tasks (Chen, Zhou and Ye 2011).

    >>> import jaxreg as jr
    >>> jr.multitask_models.robust(0.3, 0.1).penalty
    (0.3 * Nuclear()).on('low_rank') + (0.1 * L2(axis=1)).on('outliers')
    """
    low = (strength("rank", rank) * Nuclear()).on("low_rank")
    return model(
        low + (strength("outliers", outliers) * L2(axis=1)).on("outliers"), intercept, low_rank=True, outliers=True
    )


def task_relationship(relation: Any, ridge: Any = 0.0, *, intercept: bool = True) -> TaskModel:
    """Tasks' relation Ω learned with them: relation/2 min tr(WᵀΩ⁻¹W) over Ω ⪰ 0, tr Ω = 1, + ridge/2 ‖W‖².

    Ω is eliminated: what is left is relation/2 (Σ σᵢ)² (Zhang and Yeung 2010; `SquaredNuclear`). The Ω of a solution
    is (WWᵀ)^½ / tr (WWᵀ)^½ for W (tasks, features).

    >>> import jaxreg as jr
    >>> jr.multitask_models.task_relationship(0.3, 0.1).penalty
    0.3 * SquaredNuclear() + 0.1 * Ridge()
    """
    penalty = strength("relation", relation) * SquaredNuclear() + strength("ridge", ridge) * Ridge()
    return model(penalty, intercept)


def feature_learning(metric: Any, *, intercept: bool = True) -> TaskModel:
    """A metric D of features, learned: metric/2 min Σₜ wₜᵀD⁻¹wₜ over D ⪰ 0, tr D = 1 (Argyriou et al. 2008).

    D is eliminated: metric/2 (Σ σᵢ)², the model of `task_relationship` without its ridge.

    >>> import jaxreg as jr
    >>> jr.multitask_models.feature_learning(0.3).penalty
    0.3 * SquaredNuclear()
    """
    return model(strength("metric", metric) * SquaredNuclear(), intercept)


def clustered(clusters: int, strength_: Any, epsilon: Any = 0.1, *, intercept: bool = True) -> TaskModel:
    """Tasks in `clusters` clusters, convexly relaxed: strength/2 min tr(Wᵀ(εI + M)⁻¹W), 0 ⪯ M ⪯ I, tr M <= clusters.

    Jacob, Bach and Vert (2009), Zhou, Chen and Ye (2011); by their Theorem 1 also the alternating structure
    optimisation of Chen et al. (2009) with a shared space of as many dimensions.

    >>> import jaxreg as jr
    >>> jr.multitask_models.clustered(3, 0.5).penalty
    0.5 * ClusterNorm(k=3, epsilon=0.1)
    """
    return model(strength("strength", strength_) * ClusterNorm(clusters, epsilon), intercept)
