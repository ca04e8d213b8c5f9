"""The named multi-task models of the command line: each at unit strength, a mix of its two strengths where it has two.

A mix μ gives the first term the strength (1 - μ) a and the second μ b, where a and b are the strengths from which each
alone excludes everything (1 for a term that excludes nothing); the path multiplies both. Capped features have one
strength, and μ is the cap as a share of the size that the largest feature may have.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxreg import Graph
from jaxreg import multitask_models as mm
from jaxreg.cli._afresh import factored, staged
from jaxreg.cli._errors import InputError
from jaxreg.cli._scale import Scale
from jaxreg.cli._strengths import GAUGE_RATIO, gauge_grid, smooth_grid

MIXES = (0.2, 0.5, 0.8)
FACTORS = 3


@dataclass(frozen=True)
class Named:
    """A model of a scale and a mix. `smooth`: it excludes nothing; `most`: tasks beyond which it takes too long.

    `relates` says that it learns the tasks' covariance. Where the model is not convex
    `fit(model, loss, share, strength, data, weights)` fits every strength afresh, and strengths go down to `ratio`
    times the strongest.
    """

    make: Callable[[Scale, float], Any]
    mixes: tuple[float, ...] = ()
    smooth: bool = False
    counts: str = "nonzeros"
    most: int | None = None
    fit: Callable[..., Any] | None = None
    ratio: float = GAUGE_RATIO
    relates: bool = False

    def grid(self, scale: Scale, num: int, mix: float) -> np.ndarray:
        """The strengths of the path."""
        if self.smooth:
            return smooth_grid(scale, num)
        return gauge_grid(1 / min(mix, 1 - mix) if self.mixes and not self.fit else 1.0, num, self.ratio)


def _complete(s: Scale) -> np.ndarray:
    tasks = len(s.gradient)
    edges = [(i, j) for i in range(tasks) for j in range(i)]
    return np.asarray(Graph.edges(edges, tasks).laplacian) / tasks


def _root(s: Scale, _: float) -> mm.Stages:
    """Its first stage, a lasso of slope strength / (2 √ε), excludes everything at the strength that this has."""
    epsilon = 1e-2 * s.size
    return mm.root_features(2 * epsilon**0.5 * s.entries, epsilon)


NAMED = {
    "adaptive": Named(lambda s, _: mm.adaptive(s.tasks)),
    "capped_features": Named(lambda s, m: mm.capped_features(s.entries, m * s.size), MIXES, fit=staged),
    "clustered": Named(lambda s, _: mm.clustered(min(3, len(s.gradient) - 1), 1.0), smooth=True),
    "common_and_own": Named(lambda s, m: mm.common_and_own(1 - m, m), MIXES, smooth=True),
    "convex_clustering": Named(lambda s, _: mm.convex_clustering(s.pairs), most=20),
    "dirty": Named(lambda s, m: mm.dirty((1 - m) * s.most, m * s.entries), MIXES),
    "factors": Named(lambda s, _: mm.factors(FACTORS, s.factors, s.factors), counts="rank", fit=factored, ratio=1e-2),
    "feature_learning": Named(lambda s, _: mm.feature_learning(1.0), smooth=True, counts="rank"),
    "feature_weights": Named(lambda s, _: mm.feature_weights(1.0), smooth=True),
    "fused_sparse_group": Named(
        lambda s, m: mm.fused_sparse_group(m * s.entries, (1 - m) * s.features, 0.1 * s.entries), MIXES, most=20
    ),
    "graph": Named(lambda s, m: mm.graph(1 - m, _complete(s), ridge=m), MIXES, smooth=True),
    "joint_features": Named(lambda s, _: mm.joint_features(s.features)),
    "low_rank": Named(lambda s, _: mm.low_rank(s.rank), counts="rank"),
    "mean_regularised": Named(lambda s, _: mm.mean_regularised(1.0), smooth=True),
    "robust": Named(lambda s, m: mm.robust((1 - m) * s.rank, m * s.tasks), MIXES),
    "robust_features": Named(lambda s, m: mm.robust_features((1 - m) * s.features, m * s.tasks), MIXES),
    "root_features": Named(_root, fit=staged),
    "sparse_group": Named(lambda s, m: mm.sparse_group((1 - m) * s.features, m * s.entries), MIXES),
    "sparse_low_rank": Named(lambda s, m: mm.sparse_low_rank((1 - m) * s.rank, m * s.entries), MIXES),
    "task_relationship": Named(
        lambda s, m: mm.task_relationship(1 - m, m), MIXES, smooth=True, counts="rank", relates=True
    ),
    "temporal": Named(lambda s, m: mm.temporal(1 - m, m * s.features), MIXES, most=20),
}
"""What `--sharing` knows."""

ALIASES = {"multi_level": "root_features", "trace": "low_rank"}
"""Other names of the same models; the multi-level lasso is the root of features by elimination."""

DEFAULT = ("joint_features", "low_rank", "mean_regularised")


def chosen(text: str | None) -> tuple[str, ...]:
    """The names in a comma-separated list, or all; aliases are resolved.

    Raises InputError for one that is unknown, listing all names.
    """
    if text is None:
        return DEFAULT
    if text == "all":
        return tuple(NAMED)
    words = [name.strip() for name in text.split(",")]
    names = tuple(dict.fromkeys(ALIASES.get(word, word) for word in words))
    for name in names:
        if name not in NAMED:
            known = ", ".join([*NAMED, *ALIASES])
            raise InputError(f"--sharing {name!r} is unknown; expected all, or some of {known}.")
    return names


def fitting(names: tuple[str, ...], tasks: int, everything: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names that serve so many tasks, and a note on those of `all` that do not.

    Raises InputError for one that was asked for by name and does not.
    """
    small = [name for name in names if (most := NAMED[name].most) is not None and tasks > most]
    if not small:
        return names, ()
    serves = f"up to {NAMED[small[0]].most} tasks, there are {tasks}"
    if not everything:
        raise InputError(f"--sharing {small[0]} serves {serves}.")
    return tuple(name for name in names if name not in small), (f"Left out of all, for {serves}: {', '.join(small)}.",)
