"""Cox's partial likelihood against O(n²) NumPy and scikit-survival: ties, weights, folds, strata, stability."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxreg as jr
from oracles import cox

TIES = pytest.mark.parametrize("ties", ["breslow", "efron"])
RNG = np.random.default_rng(0)
N, P = 40, 4
X = RNG.normal(size=(N, P))
TIME = np.ceil(4 * RNG.exponential(np.exp(-X @ np.array([1.0, -0.5, 0.0, 0.0]))))
TARGETS = np.stack([TIME, RNG.random(N) < 0.7], -1).astype(float)
WEIGHTS = RNG.uniform(0.2, 3.0, N) * (RNG.random(N) < 0.8)


def risk(ties: str) -> jr.risk:
    return jr.risk(jr.linear, jr.Cox(ties))


def slow_risk(w, ties, rows=None, X=X, targets=TARGETS) -> float:
    rows = np.ones(len(X)) if rows is None else rows
    return float(np.sum(rows * cox(X @ w, targets, ties, rows)) / np.sum(rows))


@TIES
@pytest.mark.parametrize("weighted", [False, True])
def test_the_risk_is_that_of_the_slow_formula(ties: str, weighted: bool, dtype: np.dtype):
    assert len(np.unique(TIME)) < N // 2  # ties are what is tested
    rows, w = (WEIGHTS if weighted else np.ones(N)), RNG.normal(size=P)
    data = (X.astype(dtype), TARGETS.astype(dtype))
    made = jax.jit(risk(ties))(w.astype(dtype), data, rows.astype(dtype))
    assert made.dtype == dtype
    np.testing.assert_allclose(made, slow_risk(w, ties, rows), rtol=100 * np.finfo(dtype).eps)


@TIES
def test_the_gradient_is_that_of_the_slow_formula(ties: str, x64):
    w, h = RNG.normal(size=P), 1e-6
    made = jax.grad(risk(ties))(w, (X, TARGETS), WEIGHTS)
    steps = [(slow_risk(w + h * e, ties, WEIGHTS) - slow_risk(w - h * e, ties, WEIGHTS)) / (2 * h) for e in np.eye(P)]
    np.testing.assert_allclose(made, steps, atol=1e-8)


@TIES
def test_a_row_of_weight_zero_is_as_good_as_absent(ties: str, x64):
    """Whatever it holds, NaN included."""
    w, kept = RNG.normal(size=P), WEIGHTS > 0
    spoiled, targets = X.copy(), TARGETS.copy()
    spoiled[~kept], targets[~kept] = 1e3, np.nan
    for rows in (kept.astype(float), WEIGHTS):
        whole = jax.value_and_grad(risk(ties))(w, (spoiled, targets), rows)
        part = jax.value_and_grad(risk(ties))(w, (X[kept], TARGETS[kept]), rows[kept])
        np.testing.assert_allclose(whole[0], part[0], rtol=1e-13)
        np.testing.assert_allclose(whole[1], part[1], atol=1e-13)


@TIES
def test_neither_the_order_of_rows_nor_the_size_of_weights_counts(ties: str, x64):
    w, order = RNG.normal(size=P), RNG.permutation(N)
    first = risk(ties)(w, (X, TARGETS), WEIGHTS)
    np.testing.assert_allclose(risk(ties)(w, (X[order], TARGETS[order]), WEIGHTS[order]), first, rtol=1e-13)
    np.testing.assert_allclose(risk(ties)(w, (X, TARGETS), 1e-6 * WEIGHTS), first, rtol=1e-13)


def test_a_weight_of_two_counts_a_row_twice(x64):
    """For Breslow's ties: the slopes are those of the row written twice, and so is the fit."""
    rows = RNG.integers(0, 3, N)
    twice = np.repeat(np.arange(N), rows)
    w = RNG.normal(size=P)
    by_weight = jax.grad(risk("breslow"))(w, (X, TARGETS), rows.astype(float))
    by_row = jax.grad(risk("breslow"))(w, (X[twice], TARGETS[twice]))
    np.testing.assert_allclose(by_weight, by_row, atol=1e-13)


@TIES
def test_far_scores_neither_overflow_nor_vanish(ties: str, dtype: np.dtype):
    """Late rows whose hazards are e^-2000 of the early ones still have their own risk sets."""
    time = np.arange(1.0, 7.0)
    z = np.array([1e4, 0.0, -2e3, -2e3 - 1, -1e4, -1e4 + 2], dtype)
    targets = np.stack([time, np.ones(6)], -1).astype(dtype)
    made, slope = jax.jit(jax.value_and_grad(lambda z: jnp.sum(jr.Cox(ties)(z, targets))))(z)
    expected = np.log1p(np.exp(-1.0)) + np.log1p(np.exp(2.0))
    np.testing.assert_allclose(made, expected, rtol=1e-3 if dtype == np.float32 else 1e-10)
    assert np.isfinite(slope).all() and abs(float(slope[4])) > 0.1


@TIES
def test_all_events_at_one_time(ties: str, x64):
    """Breslow: n log n at equal scores; Efron: log n!."""
    targets = np.stack([np.ones(5), np.ones(5)], -1)
    total = float(jnp.sum(jr.Cox(ties)(np.zeros(5), targets)))
    assert np.isclose(total, 5 * np.log(5) if ties == "breslow" else np.sum(np.log(np.arange(1, 6))))


@TIES
def test_without_events_there_is_nothing_to_fit(ties: str, dtype: np.dtype):
    censored = np.stack([TIME, np.zeros(N)], -1).astype(dtype)
    value, grad = jax.value_and_grad(risk(ties))(np.ones(P, dtype), (X.astype(dtype), censored))
    assert value == 0 and not np.asarray(grad).any()


@TIES
def test_a_batch_of_weights_is_a_loop(ties: str, x64):
    w, batch = RNG.normal(size=P), RNG.uniform(size=(3, N)) * (RNG.random((3, N)) < 0.7)
    made = jax.jit(jax.vmap(partial(risk(ties), w, (X, TARGETS))))(batch)
    np.testing.assert_allclose(made, [slow_risk(w, ties, rows) for rows in batch], rtol=1e-12)


@TIES
def test_fits_are_stationary_and_sparse(ties: str, dtype: np.dtype):
    data = (X.astype(dtype), TARGETS.astype(dtype))
    tol = 1e-4 if dtype == np.float32 else 1e-8
    sol = jr.minimize(risk(ties), 0.1 * jr.L1(), np.zeros(P, dtype), data, tol=tol)
    assert sol.status == 0
    w, h = np.asarray(sol.params, float), 1e-5
    assert (w == 0).any() and (w != 0).any()
    grad = np.array([(slow_risk(w + h * e, ties) - slow_risk(w - h * e, ties)) / (2 * h) for e in np.eye(P)])
    slack = 1e-3 if dtype == np.float32 else 1e-6
    np.testing.assert_allclose(grad[w != 0], -0.1 * np.sign(w[w != 0]), atol=slack)
    assert (np.abs(grad[w == 0]) <= 0.1 + slack).all()


def test_scikit_survival(x64):
    """Breslow and Efron with a ridge: scikit-survival minimises (-loglik + alpha/2 ‖w‖²)/n."""
    survival = pytest.importorskip("sksurv.linear_model")
    y = np.array([(bool(e), t) for t, e in TARGETS], dtype=[("event", bool), ("time", float)])
    for ties in ("breslow", "efron"):
        peer = survival.CoxPHSurvivalAnalysis(alpha=2.0, ties=ties, tol=1e-12, n_iter=500).fit(X, y)
        sol = jr.minimize(risk(ties), 2.0 / N * jr.Ridge(), np.zeros(P), (X, TARGETS), tol=1e-10)
        np.testing.assert_allclose(sol.params, peer.coef_, atol=1e-6)


def test_a_path_and_its_cross_validation_need_no_start(dtype: np.dtype):
    data = (X.astype(dtype), TARGETS.astype(dtype))
    tol = 1e-3 if dtype == np.float32 else 1e-6
    top = jr.strength_max(risk("efron"), jr.L1(), data)
    grad = jax.grad(risk("efron"))(np.zeros(P, dtype), data)
    np.testing.assert_allclose(top, np.abs(grad).max(), rtol=1e-4)
    cv = jr.cross_validate(risk("efron"), jr.L1(), data, folds=4, num=8, tol=tol)
    assert cv.scores.shape == (4, 8) and cv.fold_params.shape == (4, 8, P)
    assert np.isfinite(cv.scores).all() and not np.asarray(cv.path.params[0]).any() and (cv.status == 0).all()


def test_folds_are_fits_on_sliced_rows(x64):
    masks = jr.kfold(N, 4, jax.random.key(0))
    strengths = [0.1, 0.02]
    cv = jr.cross_validate(
        risk("efron"), jr.L1(), (X, TARGETS), folds=masks, strengths=strengths, tol=1e-9, on_fail="ignore"
    )
    for mask, params, scores in zip(masks, cv.fold_params, cv.scores, strict=True):
        alone = jr.path(
            risk("efron"), jr.L1(), (X[~mask], TARGETS[~mask]), strengths=strengths, tol=1e-9, on_fail="ignore"
        )
        np.testing.assert_allclose(params, alone.params, atol=1e-5)
        held = [slow_risk(w, "efron", X=X[mask], targets=TARGETS[mask]) for w in params]
        np.testing.assert_allclose(scores, held, rtol=1e-10)


def test_the_score_of_verweij_and_van_houwelingen(x64):
    """As the docstring of `Cox` writes it."""
    r, n = risk("efron"), N
    scoring = lambda b, data, held: r(b, data) * n - r(b, data, 1 - held) * jnp.sum(1 - held)  # noqa: E731
    masks = jr.kfold(N, 4)
    cv = jr.cross_validate(r, jr.L1(), (X, TARGETS), folds=masks, strengths=[0.05], scoring=scoring, tol=1e-8)
    for mask, params, score in zip(masks, cv.fold_params[:, 0], cv.scores[:, 0], strict=True):
        whole = np.sum(cox(X @ params, TARGETS, "efron"))
        train = np.sum(cox(X[~mask] @ params, TARGETS[~mask], "efron"))
        assert np.isclose(score, whole - train)


def test_strata_are_tasks_that_share_their_parameters(x64):
    strata = RNG.integers(0, 3, N)
    t = jr.tasks(X, TARGETS, strata)
    joint = jr.multitask(risk("efron"), axes=None, task_weights=np.bincount(strata) / N)
    w = RNG.normal(size=P)
    parts = [np.sum(cox(X[strata == s] @ w, TARGETS[strata == s], "efron")) for s in range(3)]
    np.testing.assert_allclose(joint(w, t.data, t.weights), np.sum(parts) / N, rtol=1e-12)
    sol = jr.minimize(joint, 0.05 * jr.L1(), np.zeros(P), t.data, t.weights, tol=1e-7)
    assert sol.status == 0 and sol.params.shape == (P,)


def test_the_fit_can_be_differentiated_in_strength_and_weights(x64):
    def fit(s, rows):
        return jr.minimize(risk("efron"), s * jr.Ridge(), np.zeros(P), (X, TARGETS), rows, tol=1e-12).params

    rows, h = np.ones(N), 1e-5
    along = RNG.normal(size=N)
    made = jax.jvp(fit, (0.1, rows), (1.0, along))[1]
    np.testing.assert_allclose(
        made, (fit(0.1 + h, rows + h * along) - fit(0.1 - h, rows - h * along)) / (2 * h), atol=1e-6
    )


def test_what_cannot_be_used_is_named():
    with pytest.raises(ValueError, match="expected 'breslow' or 'efron'"):
        jr.Cox("exact")
    bad = TARGETS.astype("f4").copy()
    bad[3, 1] = 2
    with pytest.raises(ValueError, match="an event that is 0 or 1"):
        jr.minimize(risk("efron"), jr.L1(), np.zeros(P), (X.astype("f4"), bad))


def test_bad_numbers_under_jit_are_a_status():
    for spot in ((3, 0), (4, 1)):
        y = TARGETS.astype("f4").copy()
        y[spot] = np.nan
        fit = jax.jit(lambda y: jr.minimize(risk("efron"), jr.L1(), np.zeros(P, "f4"), (X.astype("f4"), y), tol=1e-3))
        assert fit(y).status == jr.Status.NONFINITE
