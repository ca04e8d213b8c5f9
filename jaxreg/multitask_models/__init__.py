"""Named linear multi-task models: each a penalty, and the parts that it acts on."""

from jaxreg.multitask_models._model import TaskModel
from jaxreg.multitask_models.factors import FactorModel, factors
from jaxreg.multitask_models.features import dirty, feature_weights, joint_features, robust_features, sparse_group
from jaxreg.multitask_models.independent import (
    adaptive,
    common_and_own,
    elastic_net,
    independent,
    mean_regularised,
    pooled,
)
from jaxreg.multitask_models.neighbours import convex_clustering, fused_sparse_group, graph, temporal
from jaxreg.multitask_models.stages import Stages, capped_features, multi_level, root_features
from jaxreg.multitask_models.subspace import (
    clustered,
    feature_learning,
    low_rank,
    robust,
    sparse_low_rank,
    task_relationship,
)

__all__ = [
    "FactorModel",
    "Stages",
    "TaskModel",
    "adaptive",
    "capped_features",
    "clustered",
    "common_and_own",
    "convex_clustering",
    "dirty",
    "elastic_net",
    "factors",
    "feature_learning",
    "feature_weights",
    "fused_sparse_group",
    "graph",
    "independent",
    "joint_features",
    "low_rank",
    "mean_regularised",
    "multi_level",
    "pooled",
    "robust",
    "robust_features",
    "root_features",
    "sparse_group",
    "sparse_low_rank",
    "task_relationship",
    "temporal",
]
