"""Batches of points: how many at once, and the one program that runs each, on one device or many."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh
from jax.sharding import PartitionSpec as P

from jaxreg._typing import Array, PyTree
from jaxreg.sweeps._axes import WHERE, Axes

MOST, ROOM = 256, 2**28
"""Points at once, and bytes of a batch's arguments and results, where the caller says nothing."""


def mesh_of(given: Any) -> Mesh | None:
    """The mesh given, or all devices of this process; None for one device."""
    devices = given.devices.ravel().tolist() if isinstance(given, Mesh) else jax.local_devices()
    if given is not None and not isinstance(given, Mesh):
        raise TypeError(f"{WHERE}: mesh is {type(given).__name__}, expected a jax.sharding.Mesh or None.")
    if any(device.process_index != jax.process_index() for device in devices):
        raise ValueError(f"{WHERE}: the mesh has devices of other processes; let each process sweep its own points.")
    if len(devices) == 1 and given is None:
        return None
    return Mesh(np.asarray(devices), ("batch",), axis_types=(AxisType.Auto,))


def check_size(batch_size: Any) -> None:
    """Raise ValueError for a batch size that is none."""
    if batch_size is not None and (not isinstance(batch_size, (int, np.integer)) or batch_size < 1):
        raise ValueError(f"{WHERE}: batch_size is {batch_size!r}, expected an integer >= 1.")


def outlined(fit: Any, axes: Axes) -> tuple[PyTree, PyTree]:
    """The shapes of fit's arguments and of its results at one point."""
    return jax.eval_shape(lambda fit, axes, at: (axes.at(at), fit(**axes.at(at))), fit, axes, axes.points(0, 1)[0])


def planned(one: tuple[PyTree, PyTree], points: int, batch_size: int | None, mesh: Mesh | None) -> int:
    """Points per batch: what was asked for, or what fits, in batches of one size, a multiple of the devices."""
    devices = 1 if mesh is None else mesh.size
    size = sum(math.prod(x.shape) * x.dtype.itemsize for x in jax.tree.leaves(one))
    most = int(batch_size) if batch_size is not None else min(MOST, max(1, ROOM // max(size, 1))) * devices
    batches = -(-points // most)
    even = -(-points // batches)
    return -(-even // devices) * devices


@partial(jax.jit, static_argnums=0)
def run(mesh: Mesh | None, fit: Any, axes: Axes, points: Array) -> PyTree:
    """fit at every point of a batch; each device loops on its own, so that none waits for another's last lane."""

    def lanes(fit: Any, axes: Axes, points: Array) -> PyTree:
        return jax.vmap(lambda at: fit(**axes.at(at)))(points)

    if mesh is None:
        return lanes(fit, axes, points)
    spread = jax.shard_map(lanes, mesh=mesh, in_specs=(P(), P(), P("batch")), out_specs=P("batch"), check_vma=False)
    return spread(fit, axes, points)
