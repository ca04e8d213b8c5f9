"""Random problems, degenerate ones too: every fit is within its tolerance by a judge in NumPy, or its status says so.

`JAXREG_FUZZ=2000` draws so many problems. Few shapes are drawn from: compiling is what takes time.
"""

import os
from typing import NamedTuple

import jax
import numpy as np
import pytest

import jaxreg as jr
from fenchel import CURVES, Shape, relative_gap

LOSSES = {
    "squared": jr.Squared(),
    "rows": jr.Squared(),
    "logistic": jr.Logistic(),
    "poisson": jr.Poisson(),
    "huber": jr.Huber(0.7),
    "squared hinge": jr.SquaredHinge(),
}
SHAPES = {"tall": (40, 12), "wide": (24, 40)}
GLM = ("logistic", "poisson", "huber", "squared hinge")
CASES = [
    *(("squared", route) for route in ("moments", "rows", "working set", "generic")),
    *(("rows", route) for route in ("moments", "working set")),
    *((loss, route) for loss in GLM for route in ("newton", "working set")),
    *((loss, "generic") for loss in ("logistic", "huber")),
]
FOLDS = 2
ROUNDING = 2048
"""By so many units certificates differ that are formed in the data's precision, half of it lost in moments."""
COUNT = int(os.environ.get("JAXREG_FUZZ", "96"))


class Drawn(NamedTuple):
    """A problem as it is posed, and what the judge needs."""

    data: tuple[np.ndarray, np.ndarray]
    weights: np.ndarray
    penalty: jr.Penalty
    shape: Shape
    intercept: bool
    ratio: float
    tol: float
    kind: str


class Outcome(NamedTuple):
    """Statuses, own gaps and judged gaps of all samples and strengths, and whether all numbers are finite."""

    status: np.ndarray
    gap: np.ndarray
    judged: np.ndarray
    finite: np.ndarray


def _features(rng: np.random.Generator, n: int, p: int, kind: str) -> np.ndarray:
    X = rng.normal(size=(n, p)) + rng.uniform(0, 1) * rng.normal(size=(n, 1))
    some = rng.choice(p, p // 3, replace=False)
    if kind == "duplicates":
        X[:, some] = X[:, rng.choice(p, len(some))]
    if kind == "constant":
        X[:, some] = rng.choice([0.0, 1.0, -300.0], len(some))
    if kind == "zero":
        X[:, some] = 0.0
    if kind == "scales":
        X = X * 10.0 ** rng.uniform(-6, 6, p)
    if kind == "low rank":
        X = X[:, :3] @ rng.normal(size=(3, p))
    if kind == "counts":
        X = np.maximum(np.round(X), 0)
    return X


def _targets(rng: np.random.Generator, X: np.ndarray, loss: str, kind: str) -> np.ndarray:
    unit = X / np.where(X.any(0), np.abs(X).max(0), 1)
    outputs = 3 if loss == "rows" else 1
    score = unit @ (rng.normal(size=(X.shape[1], outputs)) * (rng.uniform(size=(X.shape[1], 1)) < 0.3))
    score = score + rng.uniform(0.1, 1) * rng.normal(size=score.shape) + rng.normal()
    if loss == "poisson":
        y = rng.poisson(np.exp(np.clip(score, -3, 3))).astype(float)
    else:
        y = (score > 0).astype(float) if loss in ("logistic", "squared hinge") else score
    y = np.full_like(y, y[0]) if kind == "constant target" else y
    return y if loss == "rows" else y[:, 0]


KINDS = ("plain", "plain", "plain", "duplicates", "constant", "zero", "scales", "low rank", "counts", "constant target")


def draw(loss: str, route: str, number: int, dtype: np.dtype) -> Drawn:
    """Three problems in a row share shape, form of the penalty and intercept, and so their compiled programs."""
    form, case = number // 3, CASES.index((loss, route))
    rng = np.random.default_rng([case, number])
    wide = (route in ("rows", "working set")) == (form // 3 % 2 == 0)
    n, p = SHAPES["wide" if wide else "tall"]
    kind = str(rng.choice(KINDS))
    X = _features(rng, n, p, kind)
    y = _targets(rng, X, loss, kind).astype(dtype)
    weights = np.where(rng.uniform(size=n) < 0.2, 0.0, rng.uniform(0.5, 2.0, n)) if rng.uniform() < 0.5 else np.ones(n)
    entries = rng.uniform(0.5, 2.0, p) if rng.uniform() < 0.5 else np.ones(p)
    entries = np.where(rng.uniform(size=p) < 0.1, np.inf, entries) if rng.uniform() < 0.2 else entries
    penalty, shape = _penalty(("plain", "ridge", "positive")[(case + form) % 3], entries.astype(dtype), loss)
    tol = 1e-4 if dtype == np.float32 else float(rng.choice([1e-6, 1e-9]))
    intercept, ratio = form % 2 == 0, float(rng.choice([1e-1, 1e-2, 1e-4]))
    return Drawn((X.astype(dtype), y), weights.astype(dtype), penalty, shape, intercept, ratio, tol, kind)


def _penalty(form: str, entries: np.ndarray, loss: str) -> tuple[jr.Penalty, Shape]:
    ridge = 0.25 if form == "ridge" else 0.0
    positive = form == "positive" and loss != "rows"
    main = entries[:, None] * jr.L2(axis=1) if loss == "rows" else entries * jr.L1(positive=positive)
    return main + ridge * jr.Ridge() if ridge else main, Shape(entries.astype(float), ridge, positive)


def fit(drawn: Drawn, loss: str, route: str) -> Outcome:
    """All strengths of two folds and of the whole sample."""
    data, weights = drawn.data, drawn.weights
    masks = np.arange(len(weights)) % FOLDS == np.arange(FOLDS)[:, None]
    cv = jr.cross_validate(
        jr.risk(jr.linear, LOSSES[loss]),
        drawn.penalty,
        data,
        folds=masks,
        weights=weights,
        init=jr.linear_params(data, intercept=drawn.intercept),
        num=6,
        ratio=drawn.ratio,
        tol=drawn.tol,
        max_steps=2000,
        on_fail="ignore",
        route=route,
    )
    params = jax.tree.map(lambda a, b: np.concatenate([a, b[None]]), cv.fold_params, cv.path.params)
    coef, bias = (params["coef"], params["intercept"]) if drawn.intercept else (params, None)
    curve, judged = CURVES["squared" if loss == "rows" else loss], np.zeros((FOLDS + 1, 6))
    for lane, rows in enumerate([*(weights * ~mask for mask in masks), weights]):
        for at, s in enumerate(np.asarray(cv.strengths, float)):
            shape = Shape(s * drawn.shape.entries, s * drawn.shape.ridge, drawn.shape.positive)
            own = None if bias is None else bias[lane, at]
            judged[lane, at] = relative_gap(curve, shape, data, rows, coef[lane, at], own)
    status, gap = (np.concatenate([a, b[None]]) for a, b in ((cv.status, cv.path.status), (cv.gap, cv.path.gap)))
    return Outcome(status, gap, judged, np.isfinite(coef).all(tuple(range(2, coef.ndim))) & np.isfinite(judged))


def faults(drawn: Drawn, found: Outcome, dtype: np.dtype) -> list[str]:
    """Fits that are not what their status says, and any that failed on data without degeneracy in float64."""
    done = found.status == jr.Status.CONVERGED
    limit = drawn.tol + ROUNDING * np.finfo(dtype).eps
    made = []
    if (done & ~found.finite).any():
        made.append("not finite but converged")
    if (done & ~(found.judged <= limit)).any():
        made.append(f"judged {np.nanmax(found.judged[done]):.1e}, said {found.gap[done].max():.1e}")
    if dtype == np.float64 and drawn.kind == "plain" and not done.all():
        made.append(f"{int((~done).sum())} failed of plain data: {np.unique(found.status).tolist()}")
    return made


def slow(loss: str, route: str) -> bool:
    return route == "generic" or (route == "working set" and loss in GLM[1:])


@pytest.mark.parametrize(
    ("loss", "route"), [pytest.param(*case, marks=[pytest.mark.slow] * slow(*case)) for case in CASES]
)
def test_no_fit_is_uncertified_without_a_status_that_says_so(loss: str, route: str, dtype: np.dtype):
    wrong = []
    for number in range(-(-COUNT // (2 * len(CASES)))):
        drawn = draw(loss, route, number, dtype)
        wrong += [f"{number} ({drawn.kind}): {fault}" for fault in faults(drawn, fit(drawn, loss, route), dtype)]
    assert not wrong
