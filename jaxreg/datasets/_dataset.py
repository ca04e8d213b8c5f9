"""What a loader returns: plain NumPy arrays and the names of their columns."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """A data set as plain NumPy arrays, n rows of p features, with the names of its columns.

    Attributes:
        name: the short name, as in ``load_<name>``.
        X: features, (n, p) float64.
        y: targets, (n,) float64, or (n, T) float64 for several targets measured on every row.
        task_id: the task of each row, (n,) strings, or None where all rows belong to one problem.
        features: the p names of the columns of ``X``.
        targets: the names of the columns of ``y``; one name for a vector.
        task_column: what the tasks are, or None.
        description: what was measured, in which units, and the source to cite.

    >>> groups = np.array(["a", "a", "b", "b"])
    >>> Dataset("toy", np.zeros((4, 2)), np.zeros(4), groups, ("u", "v"), ("y",), "group", "Two groups.")
    <Dataset toy: X (4, 2), y (4,), 2 tasks by group>
    """

    name: str
    X: np.ndarray
    y: np.ndarray
    task_id: np.ndarray | None
    features: tuple[str, ...]
    targets: tuple[str, ...]
    task_column: str | None
    description: str

    def __repr__(self) -> str:
        shapes = f"<Dataset {self.name}: X {self.X.shape}, y {self.y.shape}"
        if self.task_id is None:
            return f"{shapes}>"
        return f"{shapes}, {np.unique(self.task_id).size} tasks by {self.task_column}>"
