"""A fitted linear multi-task model: predicts for its tasks and for new ones, and goes to a file and back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np

from jaxreg import _fitted_file, _validate
from jaxreg._linalg import matmul
from jaxreg._pytree import pytree, static
from jaxreg._typing import Array, ArrayLike, Data, PyTree
from jaxreg.losses import Loss, Squared
from jaxreg.solvers import Solution
from jaxreg.tasks import Tasks


@pytree
class FittedTasks:
    """Coefficients of T linear tasks; made by `fit_tasks`, `FittedTasks.of` or `FittedTasks.load`.

    `coef` (T, p) and `intercept` (T,) belong to features (X - center)/scale; every method takes and returns raw
    features' units. `counts` (T,) are the rows of each task, `gap` and `status` those of the fit, `ids` the tasks'.
    """

    coef: Any
    intercept: Any
    center: Any
    scale: Any
    counts: Any
    gap: Any
    status: Any
    loss: Any
    ids: tuple[Any, ...] = static()

    @classmethod
    def of(
        cls,
        model: Any,
        solution: Solution,
        tasks: Tasks,
        *,
        center: ArrayLike | None = None,
        scale: ArrayLike | None = None,
        loss: Loss | None = None,
    ) -> FittedTasks:
        """The fit that `minimize` made of a `TaskModel` or `FactorModel` on tasks, and how their X had been scaled."""
        coef, intercept = _whole(model, solution.params, len(tasks))
        p = coef.shape[1]
        moved = jnp.zeros(p, coef.dtype) if center is None else jnp.asarray(center, coef.dtype)
        unit = jnp.ones(p, coef.dtype) if scale is None else jnp.asarray(scale, coef.dtype)
        ids = tasks.ids or tuple(range(len(tasks)))
        how = Squared() if loss is None else loss
        return cls(coef, intercept, moved, unit, tasks.counts, solution.gap, solution.status, how, ids)

    def __repr__(self) -> str:
        return f"<FittedTasks of {len(self.ids)} tasks, {np.shape(self.coef)[1]} features, {self.loss!r}>"

    @property
    def slopes(self) -> Array:
        """Coefficients (T, p) of raw features."""
        return jnp.asarray(self.coef) / jnp.asarray(self.scale)[None]

    @property
    def levels(self) -> Array:
        """Predictions (T,) where raw features are 0."""
        return jnp.asarray(self.intercept) - matmul(self.slopes, jnp.asarray(self.center))

    def predict(self, X: ArrayLike, task_id: Any) -> Array:
        """Linear predictions (n,) of rows (n, p) for one task, or for one task id per row.

        They are the loss's scores: log-odds for `Logistic`. Raises ValueError for a task that is not among `ids`
        and for X of another number of features.
        """
        X = self._features(X)
        rows = self._rows(task_id, X.shape[0])
        coef, intercept = jnp.asarray(self.coef)[rows], jnp.asarray(self.intercept)[rows]
        return jnp.sum(self._scaled(X) * coef, -1) + intercept

    def predict_new(
        self, X: ArrayLike, how: Literal["pooled", "nearest"] = "pooled", data: Data | None = None
    ) -> Array:
        """Predictions (n,) for a task that was not among those fitted.

        "pooled" takes the mean of the coefficients of tasks that had rows; "nearest" those of the task with the
        smallest mean loss on the new task's few rows `data` = (X (m, p), y (m,)), with that task's own loss. Raises
        ValueError for another `how`, or `data` missing or superfluous.
        """
        if how not in ("pooled", "nearest") or (data is None) == (how == "nearest"):
            given = "no data" if data is None else "data"
            raise ValueError(
                f'predict_new: how is {how!r} with {given}; expected "pooled" without data or "nearest" with (X, y).'
            )
        X = self._features(X)
        share = self._pooling() if data is None else self._nearest(data)
        return matmul(self._scaled(X), matmul(share, jnp.asarray(self.coef))) + jnp.sum(share * self.intercept)

    def coefficients(self, names: Sequence[str] | None = None) -> dict[Any, dict[str, float]]:
        """Each task's coefficients of raw features by name, "(intercept)" last; x0, x1, ... without `names`.

        `pandas.DataFrame(fitted.coefficients(names)).T` is the table. Raises ValueError for a wrong number of names.
        """
        p = np.shape(self.coef)[1]
        labels = [f"x{j}" for j in range(p)] if names is None else [str(name) for name in names]
        if len(labels) != p or len(set(labels)) != p or "(intercept)" in labels:
            raise ValueError(f'coefficients: expected {p} distinct names beside "(intercept)", got {labels}.')
        table = np.column_stack([self.slopes, self.levels]).tolist()
        return {
            t: dict(zip([*labels, "(intercept)"], row, strict=True)) for t, row in zip(self.ids, table, strict=True)
        }

    def similarity(self, how: Literal["cosine", "relation"] = "cosine") -> Array:
        """How alike tasks are, (T, T), from their coefficients W (T, p) of scaled features.

        "cosine" is ⟨wₛ, wₜ⟩/(‖wₛ‖ ‖wₜ‖), 0 beside a task without coefficients and 1 on the diagonal; "relation" is
        the task covariance (WWᵀ)^½ / tr (WWᵀ)^½ of Zhang and Yeung (2010).
        """
        if how not in ("cosine", "relation"):
            raise ValueError(f'similarity: how is {how!r}, expected "cosine" or "relation".')
        W = jnp.asarray(self.coef)
        return cosine(W) if how == "cosine" else _relation(W)

    def save(self, path: str | Path) -> None:
        """Write everything to one npz file without pickles, whole or not at all. The loss must be a named one."""
        _fitted_file.write(path, self._arrays(), self.ids, self.loss)

    @classmethod
    def load(cls, path: str | Path) -> FittedTasks:
        """Read what `save` wrote, bit by bit. Raises ValueError for any other file, FileNotFoundError for none."""
        arrays, ids, loss = _fitted_file.read(path)
        return cls(**arrays, loss=loss, ids=ids)

    def _arrays(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _fitted_file.ARRAYS}

    def _features(self, X: Any) -> Array:
        X = _validate.array("FittedTasks", "X", X)
        if X.ndim != 2 or X.shape[1] != np.shape(self.coef)[1]:
            raise ValueError(f"FittedTasks: X has shape {X.shape}, expected (rows, {np.shape(self.coef)[1]}).")
        return X.astype(jnp.asarray(self.coef).dtype)

    def _scaled(self, X: Array) -> Array:
        return (X - jnp.asarray(self.center)[None]) / jnp.asarray(self.scale)[None]

    def _rows(self, task_id: Any, n: int) -> np.ndarray:
        """The number of each row's task."""
        single = isinstance(task_id, str) or np.ndim(task_id) == 0
        wanted = [task_id] * n if single else np.asarray(task_id).tolist()
        if len(wanted) != n:
            raise ValueError(f"FittedTasks: task_id has {len(wanted)} entries for {n} rows of X; give one each.")
        place = {name: t for t, name in enumerate(self.ids)}
        unknown = list(dict.fromkeys(name for name in wanted if name not in place))
        if unknown:
            known = ", ".join(repr(name) for name in self.ids[:12]) + (", …" if len(self.ids) > 12 else "")
            raise ValueError(
                f"FittedTasks: task {unknown[0]!r} is unknown ({len(unknown)} such); the tasks are {known}. "
                "predict_new serves a task that was not fitted."
            )
        return np.array([place[name] for name in wanted], int)

    def _pooling(self) -> Array:
        present = (jnp.asarray(self.counts) > 0).astype(jnp.asarray(self.coef).dtype)
        return present / jnp.maximum(jnp.sum(present), 1.0)

    def _nearest(self, data: Data) -> Array:
        X, y = self._features(data[0]), _validate.array("predict_new", "y", data[1])
        tasks = len(self.ids)
        if y.shape != X.shape[:1] or not len(y):
            raise ValueError(f"predict_new: data has X of shape {X.shape} and y of shape {y.shape}, expected (m,).")
        scores = matmul(self._scaled(X), jnp.asarray(self.coef).T) + jnp.asarray(self.intercept)[None]
        errors = [jnp.mean(self.loss.at(t, tasks)(scores[:, t], y)) for t in range(tasks)]
        ranked = jnp.where(jnp.asarray(self.counts) > 0, jnp.stack(errors), jnp.inf)
        return (jnp.arange(tasks) == jnp.argmin(ranked)).astype(scores.dtype)


def cosine(W: Array) -> Array:
    """Cosines between rows, 0 beside a row of zeros and 1 on the diagonal."""
    size = jnp.linalg.norm(W, axis=1, keepdims=True)
    unit = W / jnp.where(size > 0, size, 1.0)
    eye = jnp.eye(len(W), dtype=W.dtype)
    return jnp.clip(matmul(unit, unit.T), -1.0, 1.0) * (1 - eye) + eye


def _relation(W: Array) -> Array:
    U, s, _ = jnp.linalg.svd(W, full_matrices=False)
    total = jnp.sum(s)
    return matmul(U * s[None], U.T) / jnp.where(total > 0, total, 1.0)


def _whole(model: Any, params: PyTree, tasks: int) -> tuple[Array, Array]:
    """Coefficients (T, p) and intercepts (T,), whatever the parameters share."""
    coef = model.coef(params)
    if not isinstance(params, dict) or "intercept" not in params:
        return jnp.broadcast_to(coef, (tasks, coef.shape[-1])), jnp.zeros(tasks, coef.dtype)
    return jnp.broadcast_to(coef, (tasks, coef.shape[-1])), params["intercept"]
