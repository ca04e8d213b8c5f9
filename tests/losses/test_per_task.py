"""A loss per task: what each task has alone, with bounds and proxes of its own."""

import cvxpy as cp
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxreg as jr

LOSSES = [jr.Squared(), jr.Logistic(), jr.Squared(), jr.Poisson()]


def sample() -> jr.Tasks:
    rng = np.random.default_rng(0)
    w, made = np.array([1.0, -0.5, 0.0]), []
    for m, loss in zip((8, 12, 5, 9), LOSSES, strict=True):
        X = rng.normal(size=(m, 3))
        z = X @ w
        if isinstance(loss, jr.Logistic):
            y = (z + rng.logistic(size=m) > 0).astype(float)
        elif isinstance(loss, jr.Poisson):
            y = rng.poisson(np.exp(z)).astype(float)
        else:
            y = z + 0.1 * rng.normal(size=m)
        made.append((X, y))
    return jr.tasks(made)


def test_nothing_coupled_is_every_task_alone(x64):
    T, penalty = sample(), 0.1 * jr.Ridge()
    joint = jr.multitask(jr.risk(jr.linear, jr.per_task(LOSSES)))
    sol = jr.minimize(joint, penalty, jr.linear_params(T.data), T.data, T.weights, tol=1e-12)
    assert sol.status == jr.Status.CONVERGED
    for t, loss in enumerate(LOSSES):
        one = T.data[0][t], T.data[1][t]
        alone = jr.minimize(jr.risk(jr.linear, loss), penalty, jr.linear_params(one), one, T.weights[t], tol=1e-12)
        np.testing.assert_allclose(sol.params["coef"][t], alone.params["coef"], atol=1e-5)


def test_regression_and_classification_share_features_at_the_optimum_of_a_conic_solver(x64):
    T = sample()
    X, y = (np.asarray(a)[:3] for a in T.data)
    w, losses = np.asarray(T.weights)[:3], LOSSES[:3]
    joint = jr.multitask(jr.risk(jr.linear, jr.per_task(losses)))
    sol = jr.minimize(joint, 0.1 * jr.L2(axis=0), np.zeros((3, 3)), (X, y), w, tol=1e-9)
    assert sol.status == jr.Status.CONVERGED and joint.loss.curvature == 1 and joint.loss.dual
    W, total = cp.Variable((3, 3)), 0
    for t in range(3):
        A, b = X[t][w[t] > 0], y[t][w[t] > 0]
        z = A @ W[t]
        sums = cp.sum(cp.logistic(z) - cp.multiply(b, z)) if t == 1 else cp.sum_squares(z - b) / 2
        total += sums / len(b)
    problem = cp.Problem(cp.Minimize(total + 0.1 * cp.sum(cp.norm(W, 2, axis=0))))
    problem.solve(solver="CLARABEL", tol_gap_abs=1e-10, tol_gap_rel=1e-10)
    assert sol.value == pytest.approx(problem.value, abs=1e-8)
    loose = jr.minimize(joint, 0.1 * jr.L2(axis=0), np.zeros((3, 3)), (X, y), w, tol=1e-2)
    scale = float(joint(jnp.zeros((3, 3)), (X, y), w))
    assert (loose.value - problem.value) / scale <= loose.gap + 1e-9


def test_values_conjugates_and_proxes_are_the_parts(x64):
    loss, rng = jr.per_task(LOSSES), np.random.default_rng(1)
    z, y, d = rng.normal(size=(4, 5)), rng.integers(0, 2, (4, 5)).astype(float), rng.uniform(-0.9, 0.9, (4, 5))
    d[1] -= y[1] - 0.5
    for t, part in enumerate(LOSSES):
        chosen = loss.at(t, 4)
        np.testing.assert_allclose(chosen(z[t], y[t]), part(z[t], y[t]))
        np.testing.assert_allclose(chosen.conjugate(d[t], y[t]), part.conjugate(d[t], y[t]))
        np.testing.assert_allclose(jax.vmap(jax.grad(chosen))(z[t], y[t]), jax.vmap(jax.grad(part))(z[t], y[t]))
        if part.proximable and loss.proximable:
            np.testing.assert_allclose(chosen.prox(z[t], y[t], 0.7), part.prox(z[t], y[t], 0.7))


def test_traits_are_those_that_all_have():
    assert jr.per_task([jr.Squared()] * 3).quadratic and not jr.per_task(LOSSES).quadratic
    assert jr.per_task(LOSSES).curvature is None and len(jr.per_task(LOSSES).losses) == 3
    assert not jr.per_task([jr.Squared(), jr.Absolute()]).smooth
    assert eval(repr(jr.per_task(LOSSES)), vars(jr)).kinds == (0, 1, 0, 2)


def test_a_path_and_its_folds_serve_a_loss_per_task(x64):
    T = sample()
    joint = jr.multitask(jr.risk(jr.linear, jr.per_task(LOSSES)))
    fits = {"weights": T.weights, "init": jr.linear_params(T.data), "strengths": [0.3, 0.1], "folds": 2}
    cv = jr.cross_validate(joint, jr.L2(axis=0), T.data, **fits)
    assert (cv.status == 0).all() and np.isfinite(cv.scores).all()
    alone = jr.minimize(joint, 0.1 * jr.L2(axis=0), fits["init"], T.data, T.weights, tol=1e-9)
    np.testing.assert_allclose(cv.path.value[1], alone.value, rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: jr.per_task([jr.Squared(), jr.Softmax()]), TypeError, "one number per row"),
        (lambda: jr.per_task([]), TypeError, "got none"),
        (lambda: jr.per_task([jr.Squared()])(1.0, 1.0), TypeError, "jaxreg.multitask"),
        (lambda: fit(jr.per_task([jr.Squared()] * 3)), ValueError, "3 losses for 4 tasks"),
        (lambda: fit(jr.per_task([jr.Logistic()] * 4)), ValueError, r"is not made for .* in task \d, row \d"),
    ],
)
def test_what_cannot_be_used_is_named(make, error, message, x64):
    with pytest.raises(error, match=message):
        make()


def fit(loss: jr.Loss) -> jr.Solution:
    T = sample()
    return jr.minimize(jr.multitask(jr.risk(jr.linear, loss)), jr.L1(), np.zeros((4, 3)), T.data, T.weights)
