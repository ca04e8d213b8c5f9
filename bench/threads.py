"""Equal threads for everybody: numerical libraries read the environment when they are loaded, XLA the affinity."""

from __future__ import annotations

import os
import sys

POOLS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def settle(threads: int | None) -> None:
    """Begin the program anew on so many processors with as many threads in every pool, unless it already has them."""
    if threads is None or all(os.environ.get(pool) == str(threads) for pool in POOLS):
        return
    os.environ.update(dict.fromkeys(POOLS, str(threads)))
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    os.execv(sys.executable, [sys.executable, "-m", "bench", *sys.argv[1:]])
