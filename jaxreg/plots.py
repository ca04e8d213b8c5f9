"""Pictures of a comparison (CV curves, coefficient paths, error by task, sparsity), and of the relation of tasks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage  # type: ignore[import-untyped]
from scipy.spatial.distance import squareform  # type: ignore[import-untyped]

from jaxreg.cli._compare import Result, beyond_rounding
from jaxreg.cli._problem import Problem
from jaxreg.cli._verdict import error_name, shown, unit_name, winner
from jaxreg.fitted import cosine, covariance

INK, BLUE, ORANGE, GREY = "#222222", "#1f6fb4", "#d9730d", "#9a9a9a"
STYLE: Any = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "text.color": INK,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
    "savefig.dpi": 150,
}
MOST_LINES, FEW_TASKS = 400, 12


def write(folder: Path, problem: Problem, results: Sequence[Result]) -> None:
    """Write cv_curves.png, paths.png, error_by_task.png, sparsity.png and, for several tasks, relation.png."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawings = {"cv_curves": _curves, "paths": _paths, "error_by_task": _by_task, "sparsity": _sparsity}
    with mpl.rc_context(STYLE):
        for name, draw in drawings.items():
            figure = Figure()
            FigureCanvasAgg(figure)
            draw(figure, problem, results)
            figure.savefig(folder / f"{name}.png")
    sharing = [r for r in results if r.method.kind == "sharing"]
    if sharing:
        learned(problem, winner(sharing)).savefig(folder / "relation.png")


def learned(problem: Problem, result: Result) -> Any:
    """How a method relates the tasks: the covariance that it learns, or else the cosines of their coefficients."""
    W, name = jnp.asarray(result.standardised), result.method.name
    if result.method.named and result.method.named.relates:
        return relation(covariance(W), problem.ids, f"{problem.table.name}: covariance Ω of the tasks, by {name}")
    return relation(cosine(W), problem.ids, f"{problem.table.name}: cosines of the tasks' coefficients, by {name}")


def relation(similarity: Any, ids: Sequence[Any], title: str = "similarity of tasks") -> Any:
    """A heat map of how alike tasks are: similarity (T, T), its rows and columns in the order of a clustering.

    Average linkage on the largest similarity less each puts tasks that are alike side by side. The result is a
    matplotlib Figure, whose `savefig` writes it; labels stay readable up to about 160 tasks. Raises ValueError for a
    similarity that is not square, symmetric and finite, or ids of another number.

    >>> import numpy as np
    >>> from jaxreg import plots
    >>> figure = plots.relation(np.array([[1, 0, 0.9], [0, 1, 0.1], [0.9, 0.1, 1]]), ["a", "b", "c"])
    >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
    ['b', 'c', 'a']
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    S = np.asarray(similarity, float)
    tasks = len(ids)
    if S.shape != (tasks, tasks) or not np.isfinite(S).all() or not np.allclose(S, S.T, atol=1e-4 * np.abs(S).max()):
        raise ValueError(
            f"relation: similarity has shape {S.shape} for {tasks} ids, expected symmetric finite numbers."
        )
    order = _clustered(S)
    names, S = [str(ids[t]) for t in order], S[np.ix_(order, order)]
    apart = S[~np.eye(tasks, dtype=bool)]
    high = np.abs(apart).max(initial=0) or 1.0
    low = -high if (apart < 0).any() else apart.min(initial=high if apart.size else 0.0)
    with mpl.rc_context(STYLE):
        figure = Figure()
        FigureCanvasAgg(figure)
        _heat_map(figure, S, names, low, high, title)
    return figure


def _heat_map(figure: Any, S: np.ndarray, names: Sequence[str], low: float, high: float, title: str) -> None:
    tasks = len(names)
    side = min(max(4.0, 0.075 * tasks), 14.0)
    figure.set_size_inches(side + 1.8, side + 0.8)
    ax = figure.subplots()
    colours = "RdBu_r" if low < 0 else "viridis"
    picture = ax.imshow(S, cmap=colours, vmin=low, vmax=high, interpolation="nearest")
    size = float(np.clip(62 * side / tasks, 3.5, 9))
    ax.set_xticks(range(tasks), names, rotation=90, fontsize=size)
    ax.set_yticks(range(tasks), names, fontsize=size)
    ax.tick_params(length=1.5)
    ax.spines[:].set_visible(False)
    ax.set_title(title)
    figure.colorbar(picture, ax=ax, shrink=0.7, label="similarity", extend="max" if S.max() > high else "neither")


def _clustered(S: np.ndarray) -> np.ndarray:
    """An order in which tasks that are alike stand side by side."""
    if len(S) < 3:
        return np.arange(len(S))
    apart = S.max() - (S + S.T) / 2
    np.fill_diagonal(apart, 0.0)
    return np.asarray(leaves_list(linkage(squareform(apart, checks=False), "average", optimal_ordering=True)))


def _grid(figure: Any, count: int, height: float = 2.6, **options: Any) -> list[Any]:
    """Axes for so many panels, four to a row, the spare ones removed."""
    columns = min(4, count)
    rows = -(-count // columns)
    figure.set_size_inches(3.3 * columns + 0.4, height * rows + 0.9)
    axes = figure.subplots(rows, columns, squeeze=False, **options).ravel()
    for spare in axes[count:]:
        spare.remove()
    return list(axes[:count])


def _curves(figure: Any, problem: Problem, results: Sequence[Result]) -> None:
    axes = _grid(figure, len(results))
    top = winner(results)
    best, worst, null = (
        shown(problem, v)
        for v in (top.mean[top.best], max(r.mean[r.best] for r in results), max(r.mean[0] for r in results))
    )
    room = max(min(4 * (worst - best), null - best), 0.25 * (null - best))
    for ax, result in zip(axes, results, strict=True):
        mean, low, high = _band(problem, result)
        ax.fill_between(result.strengths, low, high, color=BLUE, alpha=0.2, lw=0)
        ax.plot(result.strengths, mean, color=BLUE, lw=1.8)
        ax.axhline(best, color=GREY, lw=0.8, ls=":")
        ax.axvline(result.strengths[result.best], color=ORANGE, lw=1.3)
        ax.axvline(result.strengths[result.one_se], color=ORANGE, lw=1.3, ls="--")
        ax.set(xscale="log", ylim=(best - 0.15 * room, best + 1.1 * room))
        ax.set_title(f"{result.method.name}: {mean[result.best]:.4g}", fontweight="bold" if result is top else None)
        ax.invert_xaxis()
    figure.supxlabel("strength (strong to weak)", fontsize=10)
    figure.supylabel(f"CV {error_name(problem)}\n({unit_name(problem)})", fontsize=10)
    figure.suptitle(
        f"{problem.table.name}: {top.method.name} has the smallest cross-validation error ({best:.4g})\n"
        "orange: chosen strength, best (solid) and one-standard-error (dashed); dotted: the best of all; "
        "band: ± 1 standard error",
        fontsize=11,
        ha="left",
        x=0.01,
    )


def _band(problem: Problem, result: Result) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    edges = (result.mean, result.mean - result.error, result.mean + result.error)
    curves = [np.sqrt(np.maximum(e, 0)) if problem.loss == "squared" else e for e in edges]
    return curves[0], curves[1], curves[2]


def _paths(figure: Any, problem: Problem, results: Sequence[Result]) -> None:
    axes = _grid(figure, len(results))
    for ax, result in zip(axes, results, strict=True):
        paths = result.path[:, 0] if result.method.kind == "pooled" else result.path
        lines = paths.reshape(len(result.strengths), -1)
        chosen = np.linspace(0, lines.shape[1] - 1, min(MOST_LINES, lines.shape[1])).astype(int)
        ax.plot(result.strengths, lines[:, chosen], lw=0.7, alpha=0.6)
        ax.axvline(result.strengths[result.best], color=INK, lw=1.2)
        ax.axvline(result.strengths[result.one_se], color=INK, lw=1.2, ls="--")
        near = lines[: result.best + 1]
        room = 0.35 * (np.ptp(near) or 1.0)
        ax.set(xscale="log", ylim=(near.min() - room, near.max() + room))
        ax.set_title(f"{result.method.name}: {_counted(result)}", fontsize=10)
        ax.invert_xaxis()
    figure.supxlabel("strength (strong to weak)", fontsize=10)
    figure.supylabel("coefficient (standardised features)", fontsize=10)
    figure.suptitle(
        f"{problem.table.name}: coefficients grow as the strength falls; "
        "black: chosen strength, best (solid) and one-standard-error (dashed)",
        fontsize=11,
        ha="left",
        x=0.01,
    )


def _counted(result: Result) -> str:
    size = result.standardised[0].size if result.method.kind == "pooled" else result.standardised.size
    return f"rank {result.counted}" if result.method.counts == "rank" else f"{result.counted}/{size} nonzero"


def _by_task(figure: Any, problem: Problem, results: Sequence[Result]) -> None:
    errors = np.array([[_task_error(problem, v) for v in r.test_losses] for r in results])
    errors = errors[:, (seen := np.isfinite(errors).all(0))]
    ids = [name for name, kept in zip(problem.ids, seen, strict=True) if kept]
    figure.set_size_inches(9.5, 0.5 * len(results) + 1.9)
    ax = figure.subplots()
    place = np.arange(len(results))
    if len(ids) > FEW_TASKS:
        line = {"color": ORANGE, "lw": 1.8}
        ax.boxplot(
            list(errors), positions=place, orientation="horizontal", widths=0.6, showfliers=False, medianprops=line
        )
        jitter = np.random.default_rng(0).uniform(-0.22, 0.22, errors.shape)
        ax.plot(errors.T, (place[:, None] + jitter).T, ".", color=BLUE, ms=4, alpha=0.35)
    else:
        offsets = np.linspace(-0.2, 0.2, len(ids)) if len(ids) > 1 else np.zeros(1)
        for name, row, offset in zip(ids, errors.T, offsets, strict=True):
            ax.plot(row, place + offset, "o", ms=7, label=name)
        ax.hlines(place, 0, errors.max() * 1.05, color=GREY, lw=0.5, zorder=0)
        if len(ids) > 1:
            ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), title=problem.table.task_column or "target")
    middle = np.median(errors, 1)
    ax.set_yticks(place, [r.method.name for r in results])
    ax.invert_yaxis()
    ax.set_xlim(left=0)
    ax.set_xlabel(f"held-out {error_name(problem)} of a task ({unit_name(problem)})")
    best = results[int(np.argmin(middle))].method.name
    ax.set_title(f"{problem.table.name}: the median task is predicted best by {best} ({middle.min():.4g})")


def _task_error(problem: Problem, losses: np.ndarray) -> float:
    return shown(problem, np.mean(losses)) if len(losses) else float("nan")


def _sparsity(figure: Any, problem: Problem, results: Sequence[Result]) -> None:
    import matplotlib as mpl

    axes = _grid(figure, len(results), height=3.2)
    limit = np.quantile(np.abs(np.concatenate([r.standardised.ravel() for r in results])), 0.98) or 1.0
    colours = mpl.colormaps["RdBu_r"].with_extremes(bad="#e6e6e6")
    tasks, features = len(problem.ids), problem.table.features
    for i, (ax, result) in enumerate(zip(axes, results, strict=True)):
        shade = np.ma.masked_where(~beyond_rounding(result.standardised), result.standardised)
        picture = ax.imshow(shade, aspect="auto", cmap=colours, vmin=-limit, vmax=limit, interpolation="nearest")
        ax.set_title(f"{result.method.name}: {_counted(result)}", fontsize=10)
        if len(features) <= 20:
            lowest = i + 4 >= len(results)
            ax.set_xticks(range(len(features)), features if lowest else [""] * len(features))
            ax.tick_params("x", rotation=90, labelsize=8)
        if tasks <= 15:
            ax.set_yticks(range(tasks), problem.ids if i % 4 == 0 else [""] * tasks, fontsize=8)
        ax.spines[:].set_visible(False)
    figure.colorbar(picture, ax=axes, shrink=0.8, label="coefficient (standardised features)", extend="both")
    figure.supylabel(f"task ({problem.table.task_column or 'target'})", fontsize=10)
    figure.supxlabel("feature", fontsize=10)
    few = min(results, key=lambda r: beyond_rounding(r.standardised).mean())
    figure.suptitle(
        f"{problem.table.name}: {few.method.name} uses the fewest coefficients; grey cells are zeros",
        fontsize=11,
        ha="left",
        x=0.01,
    )
