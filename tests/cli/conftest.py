"""A small table with four ragged tasks, written as a file."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest


def frame(seed: int = 0, rows: int = 120) -> pd.DataFrame:
    """Features a, b, c and colour, four groups, and targets for every loss."""
    rng = np.random.default_rng(seed)
    group = np.sort(rng.integers(0, 4, rows))
    X = rng.normal(size=(rows, 3)) * [1.0, 10.0, 0.1] + [0.0, 5.0, -1.0]
    score = X[:, 0] + (0.1 + 0.02 * group) * X[:, 1] + 0.3 * group
    return pd.DataFrame(
        {
            "a": X[:, 0],
            "b": X[:, 1],
            "c": X[:, 2],
            "colour": np.array(["red", "green", "blue"])[rng.integers(0, 3, rows)],
            "group": np.array(["g0", "g1", "g2", "g3"])[group],
            "y": score + 0.3 * rng.normal(size=rows),
            "z": 2 * score + rng.normal(size=rows),
            "hit": np.where(score + rng.logistic(size=rows) > 1, "yes", "no"),
            "count": rng.poisson(np.exp(0.3 * X[:, 0])),
        }
    )


@pytest.fixture(scope="session")
def table() -> pd.DataFrame:
    """The table."""
    return frame()


@pytest.fixture
def csv(table: pd.DataFrame, tmp_path: Path) -> Path:
    """Its features, tasks and first target as a file."""
    path = tmp_path / "small.csv"
    table[["a", "b", "c", "colour", "group", "y"]].to_csv(path, index=False)
    return path
