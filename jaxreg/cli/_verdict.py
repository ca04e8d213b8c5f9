"""Errors as they are shown, and what they say in plain words."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from jaxreg.cli._compare import Result
from jaxreg.cli._problem import Problem


def error_name(problem: Problem) -> str:
    """What errors are called."""
    return "RMSE" if problem.loss == "squared" else f"mean {problem.loss} loss"


def unit_name(problem: Problem) -> str:
    """The unit of errors."""
    if problem.loss not in ("squared", "huber"):
        return "nats"
    return "standard deviations of the target" if problem.scaled else f"units of {problem.table.targets[0]}"


def shown(problem: Problem, loss: float | np.floating) -> float:
    """A mean loss as it is shown: its root for squared loss."""
    return math.sqrt(loss) if problem.loss == "squared" else float(loss)


def shown_error(problem: Problem, result: Result) -> tuple[float, float]:
    """The cross-validation error at the best strength and its standard error, of a root by the delta method."""
    mean, error = float(result.mean[result.best]), float(result.error[result.best])
    root = shown(problem, mean)
    return root, error / (2 * root) if problem.loss == "squared" and root > 0 else error


def winner(results: Sequence[Result]) -> Result:
    """The method with the smallest cross-validation error."""
    return min(results, key=lambda r: r.mean[r.best])


def verdict(problem: Problem, results: Sequence[Result]) -> str:
    """One or two sentences: whether sharing beat pooled and independent on the held-out rows."""
    kinds = {kind: [r for r in results if r.method.kind == kind] for kind in ("sharing", "pooled", "independent")}
    if not kinds["sharing"]:
        best = winner(results)
        return (
            f"Cross-validation prefers {best.method.name}: {error_name(problem)} {_text(problem, best)} "
            "on the held-out rows."
        )
    share, rivals = winner(kinds["sharing"]), [kinds["pooled"][0], winner(kinds["independent"])]
    beaten = [share.test < rival.test for rival in rivals]
    head = {2: "Sharing helped", 1: "Sharing helped in part", 0: "Sharing did not help"}[sum(beaten)]
    against = " and ".join(_against(problem, share, rival) for rival in rivals)
    return (
        f"{head}: on the held-out rows {share.method.name}, the best way of sharing by cross-validation, has "
        f"{error_name(problem)} {_text(problem, share)}, against {against}."
    )


def _text(problem: Problem, result: Result) -> str:
    return f"{shown(problem, result.test):.4g}"


def _against(problem: Problem, share: Result, rival: Result) -> str:
    change = 100 * (1 - shown(problem, share.test) / shown(problem, rival.test))
    word = "less" if change >= 0 else "more"
    return f"{_text(problem, rival)} for {rival.method.name} ({abs(change):.1f} % {word}{_certainty(share, rival)})"


def _certainty(share: Result, rival: Result) -> str:
    """How many standard errors apart two methods are on the same held-out rows."""
    gain = np.concatenate(rival.test_losses) - np.concatenate(share.test_losses)
    spread = gain.std(ddof=1) / math.sqrt(len(gain)) if len(gain) > 1 else 0.0
    return f", {abs(gain.mean()) / spread:.1f} standard errors" if spread > 0 else ""
