"""The batches of a sweep, one after the other: read where they were kept, else run, kept and told of."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
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
    done, ahead = len(known), None

    def begin(k: int) -> Any:
        return jax.tree.leaves(run(mesh, fit, axes, axes.points(starts[k], starts[k] + size)))

    todo = [k for k in range(len(starts)) if k not in known]
    following = dict(pairwise(todo))
    for k in range(len(starts)):
        if k in known:
            yield known[k]
            continue
        current = begin(k) if ahead is None else ahead
        ahead = begin(following[k]) if k in following else None
        leaves = [np.asarray(x) for x in current]
        if store is not None:
            store.write(k, leaves)
        done += 1
        live.report(min(done * size, len(axes)))
        yield leaves
    live.close()
