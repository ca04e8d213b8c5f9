"""Optax links."""

from jaxreg.transforms.averaging import AcceleratedState, AveragingState, accelerated, dual_averaging
from jaxreg.transforms.proximal import ProximalState, ProximalStep, chain, proximal, proximal_step
from jaxreg.transforms.sparsity import Pruned, Sparsity, prune, sparsity

__all__ = [
    "AcceleratedState",
    "AveragingState",
    "ProximalState",
    "ProximalStep",
    "Pruned",
    "Sparsity",
    "accelerated",
    "chain",
    "dual_averaging",
    "proximal",
    "proximal_step",
    "prune",
    "sparsity",
]
