"""What the comparison says: the table on the terminal, result.json and coefficients.csv."""

from __future__ import annotations

import csv
import json
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxreg._version import __version__
from jaxreg.cli._compare import Result
from jaxreg.cli._problem import Problem
from jaxreg.cli._verdict import error_name, shown, shown_error, unit_name, verdict, winner

ERRORS = ("CV error ± SE", "held-out\nerror", "strength\nbest", "strength\n1-SE", "nonzeros\n(rank)")
EFFORT = ("largest\nrel. gap", "compile\nseconds", "run\nseconds", "number\nof fits")
WIDE = 126


def introduce(console: Any, problem: Problem) -> None:
    """Say what is compared, and on which rows."""
    table, counts = problem.table, problem.counts
    tasks = "one task" if len(problem.ids) == 1 else f"{len(problem.ids)} tasks"
    by = f" by {table.task_column}" if table.task_column else " (one per target)" if len(problem.ids) > 1 else ""
    rows = f"{counts.min()}" if counts.min() == counts.max() else f"{counts.min()} to {counts.max()}"
    lines = [
        f"[bold]{table.name}[/]: {len(table.X)} rows, {table.X.shape[1]} features, {tasks}{by}; "
        f"{rows} training rows per task, {len(problem.test_rows)} rows held out.",
        f"{problem.loss} loss; errors are {error_name(problem)} in {unit_name(problem)}.",
        *table.notes,
    ]
    if problem.scaled:
        lines.append("Targets are scaled to standard deviation 1 on training rows, so that tasks are comparable.")
    if len(problem.ids) == 1:
        lines.append("There is a single task, so nothing to share: ridge, lasso and elastic net are compared.")
    for line in lines:
        console.print(line, highlight=False)


def show(console: Any, problem: Problem, results: Sequence[Result], seconds: float, out: Path) -> None:
    """Print the table, what it says in plain words, and where the files are; two tables where one is too wide."""
    parts = [slice(0, len(ERRORS)), slice(len(ERRORS), None)]
    for part in [slice(None)] if console.width >= WIDE else parts:
        _table(console, problem, results, part)
    console.print(
        "★ smallest cross-validation error. 1-SE: strongest within one standard error of the best. Largest gap over "
        "all fits: no objective is further above its minimum, relative to its value at zero.",
        style="dim",
    )
    for line in notes(problem, results):
        console.print(line, highlight=False)
    console.print(f"\n[bold]{verdict(problem, results)}[/]", highlight=False)
    console.print(f"{seconds:.1f} s in all. Tables and plots are in {out}/", highlight=False, soft_wrap=True)


def _table(console: Any, problem: Problem, results: Sequence[Result], part: slice) -> None:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("  method", no_wrap=True)
    for header in (*ERRORS, *EFFORT)[part]:
        table.add_column(header, justify="right", no_wrap=True)
    top = winner(results)
    for result in results:
        mark = "★ " if result is top else "  "
        style = "bold green" if result is top else None
        table.add_row(mark + result.method.name, *_cells(problem, result)[part], style=style)
    console.print(table)


def notes(problem: Problem, results: Sequence[Result]) -> list[str]:
    """What a reader of the numbers should know."""
    lines = []
    for result in results:
        if result.unconverged:
            lines.append(
                f"{result.method.name}: {result.unconverged} of {result.gap.size} joint fits stopped above the gap "
                f"asked for; the largest is {result.gap.max():.0e}."
            )
        if result.mix is not None:
            tried = ", ".join(f"{mix:g}" for mix in result.method.mixes)
            lines.append(
                f"{result.method.name}: its second strength is best at a share of {result.mix:g} (of {tried})."
            )
    concave = [r.method.name for r in results if r.method.named and r.method.named.fit]
    if concave:
        lines.append(f"Not convex, so each fit is one of several that could be: {', '.join(concave)}.")
    edge = [r.method.name for r in results if r.best == len(r.strengths) - 1]
    if edge:
        lines.append(f"Best at the weakest strength tried, so less may be better still: {', '.join(edge)}.")
    return lines


def _cells(problem: Problem, result: Result) -> list[str]:
    cv, error = shown_error(problem, result)
    return [
        f"{cv:.4f} ± {error:.4f}",
        f"{shown(problem, result.test):.4f}",
        f"{result.strengths[result.best]:.1e}",
        f"{result.strengths[result.one_se]:.1e}",
        f"rank {result.counted}" if result.method.counts == "rank" else f"{result.counted}",
        f"{result.gap.max():.1e}",
        f"{result.compile_seconds:.1f}",
        f"{result.run_seconds:.1f}",
        f"{result.fits}",
    ]


def write(folder: Path, problem: Problem, results: Sequence[Result], settings: dict[str, Any], seconds: float) -> None:
    """Write result.json and coefficients.csv into the folder."""
    content = {
        "settings": {**settings, "name": problem.table.name},
        "versions": {
            "jaxreg": __version__,
            "jax": jax.__version__,
            "jaxlib": version("jaxlib"),
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "data": _data(problem),
        "error": {"name": error_name(problem), "unit": unit_name(problem)},
        "methods": {r.method.name: _numbers(problem, r) for r in results},
        "winner": winner(results).method.name,
        "verdict": verdict(problem, results),
        "notes": [*problem.table.notes, *notes(problem, results)],
        "seconds": seconds,
    }
    (folder / "result.json").write_text(json.dumps(_plain(content), indent=1) + "\n", encoding="utf-8")
    with (folder / "coefficients.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["method", "task", "feature", "coefficient"])
        for result in results:
            for t, task in enumerate(problem.ids):
                name = result.method.name
                rows.writerow([name, task, "(intercept)", repr(float(result.intercept[t]))])
                rows.writerows(
                    [name, task, feature, repr(float(value))]
                    for feature, value in zip(problem.table.features, result.coef[t], strict=True)
                )


def _data(problem: Problem) -> dict[str, Any]:
    table = problem.table
    return {
        "rows": len(table.X),
        "features": list(table.features),
        "targets": list(table.targets),
        "task_column": table.task_column,
        "tasks": list(problem.ids),
        "training_rows": problem.counts,
        "held_out_rows": [len(y) for _, y in problem.test],
        "test_rows": problem.test_rows,
        "feature_mean": problem.mean,
        "feature_scale": problem.scale,
        "target_shift": problem.shift,
        "target_scale": problem.unit,
    }


def _numbers(problem: Problem, result: Result) -> dict[str, Any]:
    cv, error = shown_error(problem, result)
    chosen = {
        "best": (result.best, result.counted, result.test),
        "one_se": (result.one_se, result.counted_one_se, result.test_one_se),
    }
    numbers = {
        name: {
            "index": index,
            "strength": result.strengths[index],
            result.method.counts: counted,
            "held_out_error": shown(problem, loss),
        }
        for name, (index, counted, loss) in chosen.items()
    }
    return {
        "mix": result.mix,
        "cv_error": cv,
        "cv_standard_error": error,
        **numbers,
        "held_out_error_by_task": [shown(problem, np.mean(v)) if len(v) else None for v in result.test_losses],
        "largest_gap": result.gap.max(),
        "unconverged": result.unconverged,
        "fits": result.fits,
        "compile_seconds": result.compile_seconds,
        "run_seconds": result.run_seconds,
        "path": {
            "strength": result.strengths,
            "cv_mean_loss": result.mean,
            "cv_standard_error": result.error,
            "largest_gap": result.gap.max(0),
        },
    }


def _plain(value: Any) -> Any:
    """Arrays and NumPy numbers as what JSON knows; what is not finite as null."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [_plain(v) for v in (value.tolist() if isinstance(value, np.ndarray) else value)]
    if isinstance(value, np.generic):
        return _plain(value.item())
    return None if isinstance(value, float) and not np.isfinite(value) else value
