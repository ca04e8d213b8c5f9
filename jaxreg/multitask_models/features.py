"""Features that tasks select together, wholly or in part."""

from __future__ import annotations

from typing import Any

from jaxreg.multitask_models._model import TaskModel, model, strength
from jaxreg.penalties import L1, L2, LInf, Penalty, SquaredL2


def joint_features(features: Any, norm: str = "l2", *, intercept: bool = True) -> TaskModel:
    """Features selected for all tasks or none, features Σⱼ ‖wⱼ‖ over the tasks' coefficients of feature j.

    `norm` is "l2" (Obozinski, Taskar and Jordan 2010) or "linf" (Quattoni et al. 2009). With rows that tasks share it
    is the multi-task lasso.

    >>> import jaxreg as jr
    >>> jr.multitask_models.joint_features(0.3, "linf").penalty
    0.3 * LInf(axis=0)
    """
    return model(strength("features", features) * _joint(norm), intercept)


def sparse_group(features: Any, entries: Any, *, intercept: bool = True) -> TaskModel:
    """Joint features with zeros inside, features Σⱼ ‖wⱼ‖ + entries ‖W‖₁ (Simon et al. 2013, over tasks).

    >>> import jaxreg as jr
    >>> jr.multitask_models.sparse_group(0.3, 0.1).penalty
    0.3 * L2(axis=0) + 0.1 * L1()
    """
    return model(strength("features", features) * L2(axis=0) + strength("entries", entries) * L1(), intercept)


def dirty(shared: Any, own: Any, norm: str = "linf", *, intercept: bool = True) -> TaskModel:
    """W = shared + own with shared Σⱼ ‖Pⱼ‖∞ + own ‖Q‖₁ (Jalali et al. 2010); `norm` "l2" takes ‖Pⱼ‖ instead.

    With own >= shared nothing is own but by a tie; with shared >= T own nothing is shared (T tasks, "linf").

    >>> import jaxreg as jr
    >>> jr.multitask_models.dirty(0.5, 0.2).penalty
    (0.5 * LInf(axis=0)).on('shared') + (0.2 * L1()).on('own')
    """
    penalty = (strength("shared", shared) * _joint(norm)).on("shared") + (strength("own", own) * L1()).on("own")
    return model(penalty, intercept, own=True, shared=True)


def robust_features(shared: Any, outliers: Any, *, intercept: bool = True) -> TaskModel:
    """W = shared + outliers with shared Σⱼ ‖Pⱼ‖ over features and outliers Σₜ ‖Qₜ‖ over tasks (Gong et al. 2012).

    Outlier tasks, those with Qₜ ≠ 0, need not share the features.

    >>> import jaxreg as jr
    >>> jr.multitask_models.robust_features(0.5, 0.2).penalty
    (0.5 * L2(axis=0)).on('shared') + (0.2 * L2(axis=1)).on('outliers')
    """
    joint = (strength("shared", shared) * L2(axis=0)).on("shared")
    return model(
        joint + (strength("outliers", outliers) * L2(axis=1)).on("outliers"), intercept, outliers=True, shared=True
    )


def feature_weights(weights: Any, *, intercept: bool = True) -> TaskModel:
    """A diagonal metric of features learned for all tasks, weights/2 (Σⱼ ‖wⱼ‖)² (Argyriou et al. 2008, section 3).

    >>> import jaxreg as jr
    >>> jr.multitask_models.feature_weights(0.3).penalty
    0.3 * SquaredL2()
    """
    return model(strength("weights", weights) * SquaredL2(axis=0), intercept)


def _joint(norm: str) -> Penalty:
    known: dict[str, Penalty] = {"l2": L2(axis=0), "linf": LInf(axis=0)}
    if norm not in known:
        raise ValueError(f"norm is {norm!r}, expected one of {sorted(known)}.")
    return known[norm]
