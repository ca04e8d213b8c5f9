"""Optax links and the task gradients they take."""

from jaxreg.transforms.aggregate import AggregateState, aggregate
from jaxreg.transforms.proximal import ProximalState, proximal
from jaxreg.transforms.task_gradients import TaskGradient, task_gramian, task_jacobian, weighted_gradient

__all__ = [
    "AggregateState",
    "ProximalState",
    "TaskGradient",
    "aggregate",
    "proximal",
    "task_gramian",
    "task_jacobian",
    "weighted_gradient",
]
