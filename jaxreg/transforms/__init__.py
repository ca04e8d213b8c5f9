"""Optax links."""

from jaxreg.transforms.proximal import ProximalState, proximal

__all__ = ["ProximalState", "proximal"]
