"""The batches of a sweep, one after the other: read where they were kept, else run, kept and told of."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from jaxreg.sweeps._axes import Axes
from jaxreg.sweeps._batches import run
from jaxreg.sweeps._progress import Progress
from jaxreg.sweeps._store import Store


def collect(
    mesh: Mesh | None, fit: Any, axes: Axes, size: int, shapes: list[Any], store: Store | None, progress: bool
) -> Iterator[list[np.ndarray]]:
    """The leaves of every batch, read or run; the next one is under way while one is brought to the host."""
    starts = range(0, len(axes), size)
    kept = {k: store.read(k, shapes) for k in range(len(starts))} if store is not None else {}
    known = {k: leaves for k, leaves in kept.items() if leaves is not None}
    live = Progress(progress, len(axes), len(known) * size)
    todo = deque(start for k, start in enumerate(starts) if k not in known)
    done = len(known)

    def begin() -> list[Any]:
        if not todo:
            return []
        start = todo.popleft()
        return jax.tree.leaves(run(mesh, fit, axes, axes.points(start, start + size)))

    ahead = begin()
    for k in range(len(starts)):
        if k in known:
            yield known[k]
            continue
        current, ahead = ahead, begin()
        leaves = [np.asarray(x) for x in current]
        if store is not None:
            store.write(k, leaves)
        done += 1
        live.report(min(done * size, len(axes)))
        yield leaves
    live.close()
