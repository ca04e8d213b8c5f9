"""Cross-validation of any fit, every strength afresh."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxreg as jr
from jaxreg import multitask_models as mm

SQUARED = jr.risk(jr.linear, jr.Squared())
GRID = np.array([0.02, 0.5, 0.1])


def sample() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(24, 5))
    return X, X[:, 0] - 0.5 * X[:, 1] + 0.5 * rng.normal(size=24)


def lasso(strength, data, weights):
    return jr.minimize(SQUARED, strength * jr.L1(), jnp.zeros(5), data, weights, tol=1e-10)


def test_a_convex_fit_gives_what_the_path_gives(x64):
    w = np.linspace(0.5, 2.0, 24)
    found = jr.cross_validate_fit(lasso, SQUARED, sample(), strengths=GRID, folds=4, weights=w, key=jax.random.key(1))
    path = jr.cross_validate(
        SQUARED, jr.L1(), sample(), strengths=GRID, folds=4, weights=w, key=jax.random.key(1), tol=1e-10
    )
    np.testing.assert_array_equal(found.strengths, path.strengths)
    np.testing.assert_allclose(found.scores, path.scores, rtol=1e-6)
    np.testing.assert_allclose(found.fold_params, path.fold_params, atol=1e-6)
    np.testing.assert_allclose(found.params, path.params, atol=1e-6)
    assert (int(found.best), int(found.one_se), found.path.route) == (int(path.best), int(path.one_se), "generic")


def test_folds_are_those_of_sliced_rows_for_a_model_in_stages(x64):
    rng = np.random.default_rng(3)
    T = jr.tasks([(X := rng.normal(size=(12, 4)), X[:, 0] + 0.1 * rng.normal(size=12)) for _ in range(3)])
    model = mm.capped_features(1.0, 0.5)

    def fit(strength, data, weights):
        return mm.capped_features(strength, 0.5).fit(jr.Tasks(data, weights), stages=3, tol=1e-10).fit

    masks = np.broadcast_to(jr.kfold(12, 3)[:, None], (3, 3, 12))
    risk = model.linear.risk()
    found = jr.cross_validate_fit(fit, risk, T.data, strengths=[0.3, 0.03], folds=masks)
    for k, mask in enumerate(masks[:, 0]):
        kept, held = ([(X[rows], y[rows]) for X, y in zip(*T.data, strict=True)] for rows in (~mask, mask))
        sliced = mm.capped_features(0.03, 0.5).fit(jr.tasks(kept), stages=3, tol=1e-10).fit
        np.testing.assert_allclose(found.fold_params["coef"][k, 1], sliced.params["coef"], atol=1e-6)
        out = jr.tasks(held)
        assert float(found.scores[k, 1]) == pytest.approx(float(risk(sliced.params, out.data, out.weights)), rel=1e-6)


def test_a_partial_is_compiled_once_for_all_its_arguments():
    traces = []

    def fit(level, strength, data, weights):
        traces.append(level)
        return jr.minimize(SQUARED, strength * jr.SmoothL1(level), jnp.zeros(5), data, weights, max_steps=5)

    X, y = (a.astype("float32") for a in sample())
    for level in (0.1, 0.2):
        partial = jax.tree_util.Partial(fit, jnp.float32(level))
        found = jr.cross_validate_fit(partial, SQUARED, (X, y), strengths=GRID, folds=3, on_fail="ignore")
        assert found.scores.shape == (3, 3) and found.scores.dtype == jnp.float32
    assert len(traces) == 1


def test_a_score_of_ones_own_and_fits_that_stop_early(x64):
    def short(strength, data, weights):
        return jr.minimize(SQUARED, strength * jr.L1(), jnp.zeros(5), data, weights, solver=jr.ISTA(), max_steps=1)

    def worst(params, data, weights):
        X, y = data
        return jnp.max(jnp.where(weights > 0, jnp.abs(X @ params - y), 0.0))

    with pytest.warns(jr.ConvergenceWarning, match="cross_validate_fit: "):
        found = jr.cross_validate_fit(short, SQUARED, sample(), strengths=GRID, folds=3, scoring=worst)
    X, y = sample()
    held = jr.kfold(24, 3)[1]
    expected = np.abs(X[held] @ found.fold_params[1, 2] - y[held]).max()
    assert float(found.scores[1, 2]) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"strengths": [-1.0]}, "cross_validate_fit: strengths must be >= 0"),
        ({"strengths": 0.1}, "cross_validate_fit: strengths have shape"),
        ({"folds": 1}, "cross_validate_fit: folds is 1"),
        ({"weights": np.ones(3)}, "cross_validate_fit: weights have shape"),
    ],
)
def test_bad_arguments_are_named(changes, message):
    X, y = (a.astype("float32") for a in sample())
    with pytest.raises(ValueError, match=message):
        jr.cross_validate_fit(lasso, SQUARED, (X, y), **{"strengths": GRID, "folds": 3, **changes})
