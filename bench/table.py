"""What is shown and kept: the machine, one line per method and problem, the same as JSON and as Markdown."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import math
import os
import platform
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import jaxreg as jr
from bench.players import CPUS
from bench.race import Result
from jaxreg._files import write_text

R = TypeVar("R", bound=Any)
COLUMNS = (
    "problem",
    "n x p",
    "task",
    "player",
    "tol",
    "gap",
    "compile s",
    "median s",
    "fastest s",
    "speed-up",
    "/ limit",
    "peak MB",
)
_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "XLA_FLAGS")
_PACKAGES = ("jax", "jaxlib", "numpy", "scipy", "scikit-learn", "celer", "skglm", "python-glmnet", "glum", "jaxopt")


def machine() -> dict[str, str | int]:
    """Processor, threads and versions: what a time means nothing without."""
    found: dict[str, str | int] = {
        "processor": _processor(),
        "cpus": CPUS,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "load": f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown",
    }
    found |= {name: os.environ.get(name, "unset") for name in _THREADS}
    return found | {"jaxreg": jr.__version__} | {name: _version(name) for name in _PACKAGES}


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def cells(result: Result) -> tuple[str, ...]:
    """One line of the table; `speed-up` is the best rival's time over its own, `/ limit` its own over the limit."""
    size = f"{result.rows} x {result.features}"
    head = (result.problem, size, result.task, result.player)
    if not result.reached:
        return (*head, _number(result.tol, ".0e"), _number(result.gap, ".1e"), "-", result.verdict, "-", "-", "-", "-")
    times = (_number(value, ".3f") for value in (result.compile, result.median, result.fastest))
    ratios = (_number(value, ".2f") for value in (result.speedup, result.median / result.limit))
    return (*head, f"{result.tol:.0e}", f"{result.gap:.1e}", *times, *ratios, _number(result.peak, ".0f"))


def _number(value: float, form: str) -> str:
    return "-" if math.isnan(value) else format(value, form)


def kept(result: Result) -> dict[str, object]:
    """What is written of a result."""
    return asdict(result) | {"compile": result.compile, "of_limit": result.median / result.limit}


def report(path: Path, title: str, columns: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    """Write the title, the machine and the table as Markdown."""
    told = ", ".join(f"{name} {value}" for name, value in machine().items())
    path.write_text(f"{title}.\n\n{told}.\n\n{markdown(columns, lines)}\n", encoding="utf-8")


def markdown(columns: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """The table as Markdown, for a README."""
    rows = [columns, ("---",) * len(columns), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def show(columns: Sequence[str], lines: Sequence[Sequence[str]], title: str) -> None:
    """Print the machine and the table, with rich where it is installed."""
    print(", ".join(f"{name} {value}" for name, value in machine().items()))
    if importlib.util.find_spec("rich") is None:
        print(f"{title}\n{markdown(columns, lines)}")
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns, title=title)
    for line in lines:
        table.add_row(*line)
    console = Console()
    Console(width=max(console.width, 140) if not console.is_terminal else None).print(table)


def _plain(value: object) -> object:
    """JSON has no NaN and no infinity."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def save(results: Sequence[dict[str, object]], path: Path) -> None:
    """Write the machine and the results as JSON, whole or not at all."""
    rows = [{name: _plain(value) for name, value in result.items()} for result in results]
    text = json.dumps({"machine": machine(), "results": rows}, indent=1) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)


def told(
    found: Iterable[R],
    file: Path,
    title: str,
    columns: Sequence[str],
    cells: Callable[[R], tuple[str, ...]],
) -> list[R]:
    """Every result as it comes, on stderr and in the files beside those before it; at the end the whole table."""
    results: list[R] = []
    for one in found:
        print("  ".join(cells(one)), file=sys.stderr, flush=True)
        results.append(one)
        save([asdict(result) for result in results], file)
        report(file.with_suffix(".md"), title, columns, [cells(result) for result in results])
    show(columns, [cells(result) for result in results], title)
    print(f"written to {file}")
    return results
