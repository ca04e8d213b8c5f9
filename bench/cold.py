"""What a new process pays: imports and the first fit, before and after compiled programs are kept on disk."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.table import told

_COLUMNS = ("fit", "compiled programs", "whole process s", "imports and data s", "first fit s")
_TITLE = "cold: one fit in a new process, medians"
_ABOUT = """
import time
began = time.perf_counter()
import numpy as np
{imports}
rng = np.random.default_rng(0)
X = rng.normal(size=(400, 30))
y = X[:, :3].sum(1) + rng.normal(size=400)
ready = time.perf_counter()
{fit}
print(ready - began, time.perf_counter() - ready)
"""
_OURS = """
import sys, jax, jaxreg as jr
jax.config.update("jax_enable_x64", True)
if sys.argv[1:]:
    jr.enable_compilation_cache(sys.argv[1])
"""
_FITS = {
    "lasso": ("jr.minimize(jr.risk(jr.linear, jr.Squared()), 0.1 * jr.L1(), np.zeros(30), (X, y))", _OURS),
    "lasso path, 100 strengths": ("jr.path(jr.risk(jr.linear, jr.Squared()), jr.L1(), (X, y))", _OURS),
    "logistic lasso": (
        "jr.minimize(jr.risk(jr.linear, jr.Logistic()), 0.02 * jr.L1(), np.zeros(30), (X, (y > 0) * 1.0))",
        _OURS,
    ),
    "joint features of 8 tasks": (
        "T = jr.tasks(X, y, np.arange(400) % 8); jr.fit_tasks(jr.multitask_models.joint_features(0.1), T)",
        _OURS,
    ),
    "scikit-learn's lasso": ("Lasso(0.1).fit(X, y)", "from sklearn.linear_model import Lasso"),
}


@dataclass
class Start:
    """Seconds of a process: the whole of it, up to the data, and the fit."""

    fit: str
    programs: str
    whole: float
    ready: float
    took: float


def starts(repeats: int, names: list[str]) -> Iterator[Start]:
    """Every fit without a cache, and again with what the first of them kept."""
    for name in names:
        fit, imports = _FITS[name]
        code = _ABOUT.format(imports=imports, fit=fit)
        if imports != _OURS:
            yield _start(name, "–", [[]] * repeats, code)
            continue
        with tempfile.TemporaryDirectory() as folder:
            yield _start(name, "made", [[]] * min(repeats, 3), code)
            _process(code, [folder])
            yield _start(name, "on disk", [[folder]] * repeats, code)


def _start(name: str, programs: str, runs: list[list[str]], code: str) -> Start:
    columns = zip(*(_process(code, given) for given in runs), strict=True)
    return Start(name, programs, *map(statistics.median, columns))


def _process(code: str, given: list[str]) -> tuple[float, float, float]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("JAX_COMPILATION_CACHE")}
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code, *given], env=env, text=True, capture_output=True, check=True)
    whole = time.perf_counter() - began
    ready, took = map(float, done.stdout.split())
    return whole, ready, took


def _cells(one: Start) -> tuple[str, ...]:
    return (one.fit, one.programs, *(f"{seconds:.2f}" for seconds in (one.whole, one.ready, one.took)))


def main(smoke: bool, out: Path, repeats: int) -> int:
    """Time new processes."""
    names = ["lasso"] if smoke else list(_FITS)
    told(starts(repeats, names), out / f"cold-{'smoke' if smoke else 'all'}.json", _TITLE, _COLUMNS, _cells)
    return 0
