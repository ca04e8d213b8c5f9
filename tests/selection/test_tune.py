"""Tuned strengths against NumPy: the closed form of ridge, finite differences, a grid, and folds on sliced rows."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.linear_model import Lasso

import jaxreg as jr

SQUARED = jr.risk(jr.linear, jr.Squared())
RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4)) * np.array([1.0, 2.0, 0.5, 1.0])
Y = X[:, 0] + 0.3 * X[:, 1] + RNG.normal(size=60)
TRAIN, VALID = (X[:30], Y[:30]), (X[30:], Y[30:])
START = np.array([0.1, 0.2, 0.3, 0.4])
ADAM = optax.adam(0.1)


def half_mse(w, data) -> float:
    return float(np.mean((data[0] @ w - data[1]) ** 2) / 2)


def ridge(strengths, data=TRAIN) -> np.ndarray:
    A, b = data
    return np.linalg.solve(A.T @ A / len(b) + np.diag(strengths), A.T @ b / len(b))


def slope(score, strengths, eps: float = 1e-6) -> np.ndarray:
    """The derivative of a score in log strengths by central differences."""
    steps = np.eye(np.size(strengths)).reshape(-1, *np.shape(strengths)) * eps
    return np.array([(score(strengths * np.exp(d)) - score(strengths * np.exp(-d))) / (2 * eps) for d in steps])


def test_a_strength_per_feature_descends_as_the_closed_form_does(x64):
    """Ten steps of gradient descent on the logarithms, each slope by finite differences of the closed form."""
    tuned = jr.tune(
        SQUARED, START * jr.Ridge(), TRAIN, VALID, optimizer=optax.sgd(1.0), steps=10, tol=1e-12, solver=jr.FISTA()
    )
    s = START
    for step in range(10):
        np.testing.assert_allclose(tuned.strengths["strength"][step], s, rtol=1e-5)
        np.testing.assert_allclose(tuned.scores[step], half_mse(ridge(s), VALID), rtol=1e-6)
        s = s * np.exp(-slope(lambda s: half_mse(ridge(s), VALID), s))
    assert tuned.scores[-1] < tuned.scores[0] and tuned.best == 9 and not tuned.status.any()
    np.testing.assert_allclose(tuned.params, ridge(tuned.strengths["strength"][9]), rtol=1e-4)
    assert repr(tuned.penalty).endswith("* Ridge()")


def test_one_strength_of_a_lasso_finds_the_best_of_a_grid(x64):
    tuned = jr.tune(SQUARED, 0.3 * jr.L1(), TRAIN, VALID, steps=60)
    grid = np.geomspace(1e-3, 1, 200)
    fits = [Lasso(alpha=s, fit_intercept=False, tol=1e-10).fit(*TRAIN).coef_ for s in grid]
    best = min(half_mse(w, VALID) for w in fits)
    assert best <= tuned.scores[tuned.best] * (1 + 1e-6) and tuned.scores[tuned.best] <= best * (1 + 1e-4)
    assert half_mse(np.asarray(tuned.params), VALID) == pytest.approx(float(tuned.scores[tuned.best]), rel=1e-9)


def test_folds_are_fits_on_sliced_rows(x64):
    masks = jr.kfold(60, 3)
    tuned = jr.tune(SQUARED, START * jr.Ridge(), (X, Y), folds=3, optimizer=optax.sgd(1.0), steps=2, tol=1e-11)

    def score(s) -> float:
        return float(np.mean([half_mse(ridge(s, (X[~m], Y[~m])), (X[m], Y[m])) for m in masks]))

    np.testing.assert_allclose(tuned.scores[0], score(START), rtol=1e-7)
    moved = np.log(tuned.strengths["strength"][1] / START)
    np.testing.assert_allclose(moved, -slope(score, START), rtol=1e-4, atol=1e-8)
    np.testing.assert_allclose(tuned.params, ridge(tuned.strengths["strength"][tuned.best], (X, Y)), rtol=1e-6)
    assert tuned.gap.shape == tuned.status.shape == (2, 3)


def test_strengths_of_groups_tasks_and_layers_move_and_others_rest(x64):
    """Each against finite differences of the score of fits at other strengths."""
    labels = [0, 0, 1, 1]
    T = jr.tasks([(X[:20], Y[:20]), (X[20:35], 2 * Y[20:35]), (X[35:40], Y[35:40])])
    V = jr.tasks([(X[40:50], Y[40:50]), (X[50:60], 2 * Y[50:60]), (X[40:60], Y[40:60])])
    joint = jr.multitask(SQUARED, axes={"common": None, "own": 0})
    parts = {"common": np.zeros(4), "own": np.zeros((3, 4))}
    dirty = 0.05 * jr.Ridge().on("common") + np.array([[0.1], [0.2], [0.3]]) * jr.L2(axis=1).on("own")
    cases = [
        (SQUARED, np.array([0.05, 0.1]) * jr.GroupL2(labels), None, TRAIN, VALID, {}, "*strength"),
        (
            *(joint, dirty, parts, T.data, V.data),
            {"weights": T.weights, "valid_weights": V.weights},
            "terms/1/*",
        ),
    ]
    for risk, penalty, init, data, valid, weights, only in cases:
        given = {"init": init, "tol": 1e-11, "solver": jr.FISTA(), "max_steps": 50_000}
        tuned = jr.tune(risk, penalty, data, valid, **weights, only=only, optimizer=optax.sgd(1.0), steps=2, **given)
        (first, second) = next(iter(tuned.strengths.values()))
        leaves, form = jax.tree.flatten(penalty)
        place = next(i for i, x in enumerate(leaves) if np.shape(x) == first.shape)
        zero = np.zeros(4) if init is None else init

        def score(s, risk=risk, leaves=leaves, form=form, place=place, data=data, valid=valid, w=weights, zero=zero):
            made = jax.tree.unflatten(form, [*leaves[:place], s, *leaves[place + 1 :]])
            rest = {"tol": 1e-11, "solver": jr.FISTA(), "max_steps": 50_000}
            fit = jr.minimize(risk, made, zero, data, w.get("weights"), **rest)
            return float(risk(fit.params, valid, w.get("valid_weights")))

        expected = -slope(score, np.asarray(first), 1e-4).reshape(first.shape)
        assert np.any(expected) and len(tuned.strengths) == 1
        np.testing.assert_allclose(np.log(second / first), expected, rtol=1e-4, atol=1e-7)
        kept = jax.tree.leaves(tuned.penalty)
        assert all(np.array_equal(a, b) == (i != place) for i, (a, b) in enumerate(zip(kept, leaves, strict=True)))


def test_it_is_compiled_with_the_caller_and_gives_the_same():
    data = jax.tree.map(lambda a: jnp.asarray(a, "float32"), (TRAIN, VALID))

    def best(strength, data):
        found = jr.tune(SQUARED, strength * jr.L1(), *data, optimizer=ADAM, steps=4, solver=jr.FISTA(), tol=1e-5)
        return found.scores, found.params

    several = jnp.asarray([0.05, 0.2])
    lanes = jax.jit(jax.vmap(best, (0, None)))(several, data)
    alone = best(several[1], data)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a[1], b, rtol=1e-3), lanes, alone)
    assert lanes[1].dtype == jnp.float32


def test_a_strength_that_leaves_nothing_rests_and_bad_input_is_named(x64):
    resting = jr.tune(SQUARED, 1e3 * jr.L1(), TRAIN, VALID, steps=2, solver=jr.ISTA())
    assert np.ptp(resting.strengths["strength"]) == 0 and not np.any(resting.params)
    size = lambda w, data, weights: jnp.sum(w**2)  # noqa: E731
    scored = jr.tune(SQUARED, 0.1 * jr.L1(), TRAIN, VALID, steps=1, scoring=size, solver=jr.ISTA())
    np.testing.assert_allclose(scored.scores[0], np.sum(np.square(scored.params)))
    bad = [
        ({}, ValueError, "either valid=.* or folds="),
        ({"valid": VALID, "folds": 3}, ValueError, "either valid"),
        ({"valid": VALID, "steps": 0}, ValueError, "steps is 0"),
        ({"valid": VALID, "optimizer": 0.1}, TypeError, "expected an optax transformation"),
        ({"valid": VALID, "only": "own*"}, ValueError, "matches no leaf.*'strength'"),
        ({"valid": VALID, "penalty": 0.0 * jr.L1()}, ValueError, "strength is 0.0, expected finite numbers > 0"),
        ({"valid": VALID, "penalty": 0.1}, TypeError, "penalty is float"),
        ({"valid": (X[:, :2], Y)}, ValueError, "valid has rows of shape"),
        ({"valid": (X[30:], Y[:3])}, ValueError, "tune \\(valid\\): y has shape"),
    ]
    for given, error, said in bad:
        with pytest.raises(error, match=said):
            jr.tune(SQUARED, **{"penalty": 0.1 * jr.L1(), "data": TRAIN, **given})
    with pytest.raises(RuntimeError, match="did not converge"):
        jr.tune(SQUARED, 0.1 * jr.L1(), TRAIN, VALID, steps=1, max_steps=1, solver=jr.ISTA(), on_fail="raise")


def test_the_rule_of_adaptive_multitask_learning(dtype: np.dtype):
    weights = jr.tasks([(X[:n], Y[:n]) for n in (4, 16, 1)]).weights.astype(dtype)
    found = jr.adaptive_strengths(weights, 4, 0.5)
    np.testing.assert_allclose(found, [0.5, 0.25, 1.0], rtol=1e-6)
    assert found.dtype == dtype
    np.testing.assert_allclose(jax.jit(jr.adaptive_strengths, static_argnums=1)(1e-30 * weights, 4, 0.5), found)
    kish = np.array([[1.0, 2.0, 3.0]], dtype)
    np.testing.assert_allclose(jr.adaptive_strengths(kish, 2), np.sqrt(2 / (36 / 14)), rtol=1e-6)
    assert np.isinf(jr.adaptive_strengths(np.array([[1.0], [0.0]], dtype), 2)[1])
    for w, d, c, said in ((np.ones(3), 1, 1.0, "shape"), (-weights, 1, 1.0, ">= 0"), (weights, 0, 1.0, "features is")):
        with pytest.raises(ValueError, match=said):
            jr.adaptive_strengths(w, d, c)
    with pytest.raises(ValueError, match="constant is"):
        jr.adaptive_strengths(weights, 1, -1.0)
