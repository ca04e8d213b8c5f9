"""One fit under every transformation: jit, vmap, jvp, vjp; how it fails; what it refuses."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.test_util import check_grads

import jaxreg as jr
from jaxreg.solvers._problem import bind

SQUARED = jr.risk(jr.linear, jr.Squared())
LOGISTIC = jr.risk(jr.linear, jr.Logistic())
SOLVERS = {"FISTA": jr.FISTA(), "Newton": jr.Newton()}
EACH = pytest.mark.parametrize("name", SOLVERS)


def sample(dtype="float64", n: int = 20, p: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, p))
    return X.astype(dtype), (X @ np.array([2.0, -1.0, 0.0, 0.0, 0.5]) + 0.1 * rng.normal(size=n)).astype(dtype)


@partial(jax.jit, static_argnames=("solver", "tol", "max_steps"))
def fit(strength, X, y, w, solver=None, tol=1e-10, max_steps=10_000):
    g = strength * jr.L1()
    chosen = SOLVERS[solver]
    return jr.minimize(
        SQUARED, g, jnp.zeros(X.shape[-1], X.dtype), (X, y), w, solver=chosen, tol=tol, max_steps=max_steps
    )


@EACH
def test_vmap_is_a_loop(name: str, dtype: np.dtype):
    X, y = sample(dtype)
    strengths, w = np.array([0.02, 0.1, 0.5, 10.0], dtype), np.ones(20, dtype)
    tol = 1e-10 if dtype == np.float64 else 1e-4
    batch = jax.vmap(lambda s: fit(s, X, y, w, name, tol))(strengths)
    for i, s in enumerate(strengths):
        alone = fit(s, X, y, w, name, tol)
        np.testing.assert_allclose(batch.params[i], alone.params, atol=1e-10 if dtype == np.float64 else 1e-3)
        assert batch.status[i] == alone.status == 0
        np.testing.assert_array_equal(batch.params[i] == 0, alone.params == 0)
    assert not np.asarray(batch.params[3]).any()


@EACH
def test_a_bad_lane_harms_no_other(name: str, dtype: np.dtype):
    X, y = sample(dtype)
    tol = 1e-10 if dtype == np.float64 else 1e-4
    batch = np.broadcast_to(y, (3, 20)).copy() * np.array([[1], [2], [3]], dtype)
    run = jax.vmap(lambda y: fit(np.asarray(0.1, dtype), X, y, np.ones(20, dtype), name, tol))
    clean = run(batch)
    batch[1, 4] = np.nan
    spoiled = run(batch)
    assert spoiled.status.tolist() == [0, jr.Status.NONFINITE, 0]
    for i in (0, 2):
        for a, b in zip(jax.tree.leaves(clean), jax.tree.leaves(spoiled), strict=True):
            np.testing.assert_array_equal(a[i], b[i])


@EACH
def test_statuses(name: str, x64):
    X, y = sample()
    w = np.ones(20)
    assert fit(0.01, X, y, w, name, 1e-12, max_steps=1).status == jr.Status.MAX_STEPS
    assert fit(-0.1, X, y, w, name).status == jr.Status.INVALID_INPUT
    assert fit(np.nan, X, y, w, name).status == jr.Status.INVALID_INPUT
    assert fit(0.1, X, y, 0 * w, name).status == jr.Status.EMPTY
    bad = fit(0.1, X, np.where(y == y[0], np.inf, y), w, name)
    assert bad.status == jr.Status.NONFINITE and np.isfinite(bad.params).all()


@EACH
def test_no_steps_return_the_start_with_its_certificate(name: str, x64):
    X, y = sample()
    start = jnp.array([1.0, 0.0, -1.0, 0.0, 0.0])
    sol = jr.minimize(SQUARED, 0.1 * jr.L1(), start, (X, y), solver=SOLVERS[name], max_steps=0, on_fail="ignore")
    np.testing.assert_array_equal(sol.params, start)
    r = X @ np.asarray(start) - y
    assert np.isclose(sol.value, 0.5 * np.mean(r**2) + 0.2) and sol.status == jr.Status.MAX_STEPS and sol.steps == 0


def test_failure_warns_raises_or_is_left_alone(x64):
    X, y = sample()
    short = partial(jr.minimize, SQUARED, 0.01 * jr.L1(), np.zeros(5), (X, y), solver=jr.FISTA(stride=1), max_steps=1)
    with pytest.warns(jr.ConvergenceWarning, match="1 MAX_STEPS"):
        short()
    with pytest.raises(RuntimeError, match="did not converge"):
        short(on_fail="raise")
    assert short(on_fail="ignore").status == jr.Status.MAX_STEPS
    with pytest.raises(ValueError, match="on_fail"):
        short(on_fail="shrug")


def central(f, x: np.ndarray, direction: np.ndarray, h: float = 1e-5) -> np.ndarray:
    return np.asarray((f(x + h * direction) - f(x - h * direction)) / (2 * h))


@EACH
@pytest.mark.parametrize("argument", ["strength", "X", "y", "weights"])
def test_implicit_derivatives(name: str, argument: str, x64):
    """jvp and vjp against finite differences of the whole fit."""
    X, y = sample()
    rng = np.random.default_rng(1)
    point = {"strength": jnp.asarray(0.1), "X": jnp.asarray(X), "y": jnp.asarray(y), "weights": rng.uniform(0.5, 2, 20)}
    point["weights"] = jnp.asarray(point["weights"])

    def of(value):
        args = {**point, argument: value}
        return fit(args["strength"], args["X"], args["y"], args["weights"], name, 1e-13).params

    x = point[argument]
    v, u = rng.normal(size=x.shape), rng.normal(size=5)
    expected = central(of, x, v)
    out, tangent = jax.jvp(of, (x,), (jnp.asarray(v),))
    np.testing.assert_allclose(tangent, expected, rtol=1e-4, atol=1e-6)
    assert (np.abs(tangent)[np.asarray(out) == 0] <= 1e-14).all() and (np.asarray(out) == 0).any()
    pulled = jax.vjp(of, x)[1](jnp.asarray(u))[0]
    np.testing.assert_allclose(np.sum(pulled * v), u @ expected, rtol=1e-4, atol=1e-6)


PENALTIES = (
    lambda s: s * jr.Ridge(),
    lambda s: s * jr.L1() + 0.1 * jr.Ridge(),
    lambda s: s * jr.L2() + 0.1 * jr.Ridge(),
    lambda s: s * jr.L1() + jr.NonNegative(),
)


@pytest.mark.parametrize("make", PENALTIES, ids=["ridge", "elastic", "group", "positive"])
@pytest.mark.parametrize("risk", [SQUARED, LOGISTIC], ids=["squared", "logistic"])
def test_implicit_derivative_in_the_strength(make, risk, x64):
    X, y = sample()
    y = (y > 0).astype(float) if risk is LOGISTIC else y

    @jax.jit
    def of(s):
        return jr.minimize(risk, make(s), jnp.zeros(5), (X, y), solver=jr.FISTA(), tol=1e-13, max_steps=20_000).params

    s = jnp.asarray(0.07)
    np.testing.assert_allclose(jax.jvp(of, (s,), (1.0,))[1], central(of, s, 1.0), rtol=1e-4, atol=1e-6)


def test_derivatives_with_an_intercept_and_of_the_value(x64):
    X, y = sample()
    init = jr.linear_params((X, y))

    @jax.jit
    def of(y):
        sol = jr.minimize(SQUARED, 0.1 * jr.L1(), init, (X, y + 3), tol=1e-13)
        return sol.params["intercept"], sol.value

    check_grads(of, (jnp.asarray(y),), order=1, modes=("fwd", "rev"), eps=1e-5, rtol=1e-4)


@EACH
def test_duplicated_columns_have_finite_derivatives(name: str, x64):
    X, y = sample()
    X = np.concatenate([X, X[:, :1]], 1)
    tangent = jax.jacfwd(lambda s: fit(s, X, y, np.ones(20), name, 1e-12).params)(0.1)
    assert np.isfinite(tangent).all()
    step = central(lambda s: jnp.sum(fit(s, X, y, np.ones(20), name, 1e-13).params[jnp.array([0, 5])]), 0.1, 1.0)
    np.testing.assert_allclose(tangent[0] + tangent[5], step, rtol=1e-3)


def test_under_vmap_of_grad(x64):
    X, y = sample()

    def loss(s):
        return jnp.mean(jnp.square(X @ fit(s, X, y, np.ones(20), "Newton").params - y))

    slopes = jax.vmap(jax.grad(loss))(jnp.array([0.05, 0.2]))
    np.testing.assert_allclose(slopes[1], central(loss, jnp.asarray(0.2), 1.0), rtol=1e-4)


def test_optax_needs_a_proximal_link_for_a_kink(x64):
    X, y = sample()
    rate = 0.3
    args = (np.zeros(5), (X, y))
    with pytest.raises(TypeError, match=r"end the chain with jaxreg\.proximal"):
        jr.minimize(SQUARED, 0.1 * jr.L1(), *args, solver=jr.Optax(optax.sgd(rate)))
    g = 0.1 * jr.L1()
    linked = jr.Optax(optax.chain(optax.sgd(rate), jr.proximal(g, rate)))
    exact = jr.minimize(SQUARED, g, *args, tol=1e-10).params
    np.testing.assert_allclose(jr.minimize(SQUARED, g, *args, solver=linked, tol=1e-10).params, exact, atol=1e-5)
    smooth = 0.1 * jr.Ridge()
    plain = jr.minimize(SQUARED, smooth, *args, solver=jr.Optax(optax.lbfgs(linesearch=None)), tol=1e-10)
    np.testing.assert_allclose(plain.params, jr.minimize(SQUARED, smooth, *args, tol=1e-10).params, atol=1e-5)


def test_newton_refuses_what_it_cannot_solve(x64):
    X, y = sample()
    with pytest.raises(TypeError, match="use FISTA"):
        jr.minimize(LOGISTIC, 0.1 * jr.L1(), np.zeros(5), (X, (y > 0).astype(float)), solver=jr.Newton())
    with pytest.raises(TypeError, match="use FISTA"):
        jr.minimize(jr.risk(lambda w, X: X @ w, jr.Squared()), 0.1 * jr.L1(), np.zeros(5), (X, y), solver=jr.Newton())


@pytest.mark.parametrize("risk", [SQUARED, LOGISTIC], ids=["squared", "logistic"])
def test_fista_never_rises(risk, dtype: np.dtype):
    """Run for ever more steps: the objective does not rise, without a known curvature too."""
    X, y = sample(dtype)
    y = (y > 0).astype(dtype) if risk is LOGISTIC else y
    hidden = jr.risk(lambda w, X: jr.linear(w, X), risk.loss)
    values = []
    for r in (risk, hidden):
        solver = jr.FISTA(stride=1)
        runs = [
            jr.minimize(r, 0.01 * jr.L1(), 5 * np.ones(5, dtype), (X, y), solver=solver, max_steps=k, on_fail="ignore")
            for k in (0, 1, 3, 10, 40)
        ]
        values.append([float(s.value) for s in runs])
    slack = 100 * np.finfo(dtype).eps * values[0][0]
    assert (np.diff(values, axis=1) <= slack).all()


def test_fista_keeps_its_step_at_the_optimum(dtype: np.dtype):
    """Small residuals of large targets: objectives of near points differ by rounding, which must not halve the step."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(8, 16)).astype(dtype)
    f = bind(SQUARED, (jnp.asarray(X), jnp.asarray(100 * X[:, 0])), jnp.ones(8, dtype))
    g, solver = jnp.asarray(0.01, dtype) * jr.L1(), jr.FISTA()
    first = solver.init(f, g, jnp.zeros(16, dtype))
    last = jax.jit(lambda s: jax.lax.fori_loop(0, 3000, lambda _, s: solver.update(f, g, s), s))(first)
    assert last.step == first.step


def test_newton_takes_few_steps_on_a_bad_problem(dtype: np.dtype):
    """Columns scaled over four decades, nearly collinear: a step budget, not thousands of gradients."""
    rng = np.random.default_rng(0)
    base = rng.normal(size=(60, 1)) + 0.05 * rng.normal(size=(60, 20))
    X = base * np.geomspace(0.01, 100, 20)
    y = base[:, 3] + 0.1 * rng.normal(size=60)
    X, y = X.astype(dtype), y.astype(dtype)
    top = jr.strength_max(SQUARED, jr.L1(), (X, y))
    sol = jr.minimize(
        SQUARED, 0.01 * top * jr.L1(), np.zeros(20, dtype), (X, y), tol=1e-10 if dtype == np.float64 else 1e-4
    )
    assert sol.status == 0 and sol.steps <= 60


def test_poisson_and_softmax_converge(dtype: np.dtype):
    X, _ = sample(dtype)
    rng = np.random.default_rng(0)
    counts = rng.poisson(np.exp(0.3 * X[:, 0])).astype(dtype)
    tol = 1e-8 if dtype == np.float64 else 1e-4
    poisson = jr.minimize(jr.risk(jr.linear, jr.Poisson()), 0.05 * jr.L1(), np.zeros(5, dtype), (X, counts), tol=tol)
    assert poisson.status == 0 and poisson.gap <= tol
    labels = rng.integers(0, 3, 20)
    risk = jr.risk(jr.linear, jr.Softmax())
    softmax = jr.minimize(risk, 0.05 * jr.L1(), np.zeros((5, 3), dtype), (X, labels), tol=tol)
    assert softmax.status == 0 and softmax.gap <= tol


def test_a_reduced_fit_is_good_enough_for_the_given_problem(dtype: np.dtype):
    """The dual bound of all rows is looser than that of the moments: the fit goes on until it, too, is within tol."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4)).astype(dtype)[:30]
    y = (X[:, 0] + 0.5 * rng.normal(size=30)).astype(dtype)
    for strength in (0.05, 0.2):
        sol = jr.minimize(SQUARED, strength * jr.L1(), np.zeros(4, dtype), (X, y))
        assert sol.status == jr.Status.CONVERGED and sol.gap <= max(1e-6, 256 * np.finfo(dtype).eps)
