"""Optax links and the task gradients they take."""

from jaxreg.transforms.adaptive import AdaptiveState, adaptive_proximal
from jaxreg.transforms.affinity import task_affinity
from jaxreg.transforms.aggregate import AggregateState, aggregate
from jaxreg.transforms.averaging import AcceleratedState, AveragingState, accelerated, dual_averaging
from jaxreg.transforms.proximal import ProximalState, ProximalStep, chain, proximal, proximal_step
from jaxreg.transforms.sparsity import Pruned, Sparsity, prune, sparsity
from jaxreg.transforms.task_gradients import TaskGradient, task_gramian, task_jacobian, weighted_gradient

__all__ = [
    "AcceleratedState",
    "AdaptiveState",
    "AggregateState",
    "AveragingState",
    "ProximalState",
    "ProximalStep",
    "Pruned",
    "Sparsity",
    "TaskGradient",
    "accelerated",
    "adaptive_proximal",
    "aggregate",
    "chain",
    "dual_averaging",
    "proximal",
    "proximal_step",
    "prune",
    "sparsity",
    "task_affinity",
    "task_gramian",
    "task_jacobian",
    "weighted_gradient",
]
