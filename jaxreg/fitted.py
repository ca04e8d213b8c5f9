"""A fitted linear multi-task model: predicts for its tasks and for new ones, and goes to a file and back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg import _fitted_file, _validate
from jaxreg._clusters import linked
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
    features' units. `counts` (T,) are the rows of each task, `gap` and `status` those of the fit, `ids` the tasks',
    `names` the features' if they were given. `parts` are the parameters of a model of several by name, such as
    "common" (p,) and "own" (T, p): they add up to `coef`, or, "loads" and "basis" of factors, multiply to it.
    """

    coef: Any
    intercept: Any
    center: Any
    scale: Any
    counts: Any
    gap: Any
    status: Any
    loss: Any
    parts: Any
    ids: tuple[Any, ...] = static()
    names: tuple[str, ...] | None = static(default=None)

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
        names: Sequence[str] | None = None,
    ) -> FittedTasks:
        """The fit that `minimize` made of a `TaskModel` or `FactorModel` on tasks, and how their X had been scaled.

        `names` are the features'. Raises ValueError for a wrong number of them, or some that repeat.
        """
        coef, intercept = _whole(model, solution.params, len(tasks))
        p = coef.shape[1]
        moved = jnp.zeros(p, coef.dtype) if center is None else jnp.asarray(center, coef.dtype)
        unit = jnp.ones(p, coef.dtype) if scale is None else jnp.asarray(scale, coef.dtype)
        ids = tasks.ids or tuple(range(len(tasks)))
        how = Squared() if loss is None else loss
        kept = None if names is None else tuple(_labels("FittedTasks", p, names))
        fit = solution.gap, solution.status, how, _parts(solution.params)
        return cls(coef, intercept, moved, unit, tasks.counts, *fit, ids, kept)

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
        self,
        X: ArrayLike,
        how: Literal["pooled", "nearest", "cluster"] = "pooled",
        data: Data | None = None,
        *,
        clusters: int | None = None,
    ) -> Array:
        """Predictions (n,) for a task that was not among those fitted.

        "pooled" takes the part that is common to all tasks, where the model has one (`pooled`, `common_and_own`,
        `adaptive`), else the mean of the coefficients of tasks that had rows, and their mean intercept. The others
        need a few rows of the new task, `data` = (X (m, p), y (m,)): "nearest" takes the task with the smallest mean
        loss on them, by that task's own loss, "cluster" the mean of the cluster with the smallest mean loss. Clusters
        are cut from the average linkage of 1 - `similarity()`, so many as `clusters` says or where merges jump
        furthest. Raises ValueError for another `how`, `data` missing or superfluous, and impossible `clusters`.
        """
        if how not in ("pooled", "nearest", "cluster") or (data is None) != (how == "pooled"):
            given = "no data" if data is None else "data"
            raise ValueError(
                f'predict_new: how is {how!r} with {given}; expected "pooled" without data or "nearest" or "cluster" '
                "with (X, y)."
            )
        X, present = self._features(X), jnp.asarray(self.counts) > 0
        if data is None:
            share = present / jnp.maximum(jnp.sum(present), 1)
        elif how == "nearest":
            share = self._fittest(data, jnp.eye(len(self.ids)), present)
        else:
            groups = self._clusters(np.asarray(present), clusters)
            share = self._fittest(data, jnp.asarray(groups), jnp.ones(len(groups), bool))
        coef = matmul(share.astype(X.dtype), jnp.asarray(self.coef))
        common = self.parts.get("common", coef) if data is None else coef
        return matmul(self._scaled(X), common) + jnp.sum(share.astype(X.dtype) * self.intercept)

    def coefficients(self, names: Sequence[str] | None = None) -> dict[Any, dict[str, float]]:
        """Each task's coefficients of raw features by name, "(intercept)" last.

        Without `names` those of the fit, or x0, x1, ... where it has none. `pandas.DataFrame(fitted.coefficients()).T`
        is the table. Raises ValueError for a wrong number of names.
        """
        labels = _labels("coefficients", np.shape(self.coef)[1], self.names if names is None else names)
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
        return cosine(W) if how == "cosine" else covariance(W)

    def save(self, path: str | Path) -> None:
        """Write everything to one npz file without pickles, whole or not at all. The loss must be a named one."""
        arrays = {name: getattr(self, name) for name in _fitted_file.ARRAYS}
        _fitted_file.write(path, arrays, self.parts, self.ids, self.names, self.loss)

    @classmethod
    def load(cls, path: str | Path) -> FittedTasks:
        """Read what `save` wrote, bit by bit. Raises ValueError for any other file, FileNotFoundError for none."""
        return cls(**_fitted_file.read(path))

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

    def _clusters(self, present: np.ndarray, count: int | None) -> np.ndarray:
        """Each cluster's mean as weights of the tasks, (clusters, T)."""
        fitted = np.flatnonzero(present)
        if count is not None and not 1 <= count <= len(fitted):
            raise ValueError(f"predict_new: clusters is {count!r}, expected 1 to {len(fitted)}, the tasks with rows.")
        labels = linked(1 - np.asarray(self.similarity())[np.ix_(fitted, fitted)], count)
        groups = np.zeros((len(set(labels)), len(present)))
        groups[:, fitted] = labels == np.unique(labels)[:, None]
        return groups / groups.sum(1, keepdims=True)

    def _fittest(self, data: Data, groups: Array, allowed: Array) -> Array:
        """The group (T,), of weights of tasks (groups, T), whose mean predicts new rows with the least mean loss."""
        X, y = self._features(data[0]), _validate.array("predict_new", "y", data[1])
        if y.shape != X.shape[:1] or not len(y):
            raise ValueError(f"predict_new: data has X of shape {X.shape} and y of shape {y.shape}, expected (m,).")
        groups, tasks = groups.astype(X.dtype), len(self.ids)
        scores = matmul(self._scaled(X), matmul(groups, jnp.asarray(self.coef)).T)
        scores = scores + matmul(groups, jnp.asarray(self.intercept))[None]
        errors = jax.vmap(lambda t: jax.vmap(lambda z: jnp.mean(self.loss.at(t, tasks)(z, y)), 1)(scores))
        terms = jnp.where(groups > 0, groups * errors(jnp.arange(tasks)).T, 0.0)
        ranked = jnp.where(allowed, jnp.sum(terms, 1), jnp.inf)
        return groups[jnp.argmin(ranked)]


def cosine(W: Array) -> Array:
    """Cosines between rows, 0 beside a row of zeros and 1 on the diagonal."""
    size = jnp.linalg.norm(W, axis=1, keepdims=True)
    unit = W / jnp.where(size > 0, size, 1.0)
    eye = jnp.eye(len(W), dtype=W.dtype)
    return jnp.clip(matmul(unit, unit.T), -1.0, 1.0) * (1 - eye) + eye


def covariance(W: Array) -> Array:
    """(WWᵀ)^½ / tr (WWᵀ)^½, the Ω of trace 1 that is least in tr(WᵀΩ⁻¹W)."""
    U, s, _ = jnp.linalg.svd(W, full_matrices=False)
    total = jnp.sum(s)
    return matmul(U * s[None], U.T) / jnp.where(total > 0, total, 1.0)


def _whole(model: Any, params: PyTree, tasks: int) -> tuple[Array, Array]:
    """Coefficients (T, p) and intercepts (T,), whatever the parameters share."""
    coef = model.coef(params)
    if not isinstance(params, dict) or "intercept" not in params:
        return jnp.broadcast_to(coef, (tasks, coef.shape[-1])), jnp.zeros(tasks, coef.dtype)
    return jnp.broadcast_to(coef, (tasks, coef.shape[-1])), params["intercept"]


def _parts(params: PyTree) -> dict[str, Array]:
    """Parameters by name, but for an intercept and coefficients that are all there is."""
    whole = params if isinstance(params, dict) else {}
    return {name: x for name, x in whole.items() if name not in ("coef", "intercept")}


def _labels(where: str, features: int, names: Sequence[str] | None) -> list[str]:
    made = [f"x{j}" for j in range(features)] if names is None else [str(name) for name in names]
    if len(made) != features or len(set(made)) != features or "(intercept)" in made:
        raise ValueError(f'{where}: expected {features} distinct names beside "(intercept)", got {made}.')
    return made
