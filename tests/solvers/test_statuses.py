"""What every solver says, under `jit` and `vmap`, of lanes whose numbers cannot be looked at beforehand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxreg as jr
import zoo

ROWS, FEATURES = 12, 4
rng = np.random.default_rng(0)
X = rng.normal(size=(ROWS, FEATURES))
Y = X @ np.array([1.0, -1.0, 0.0, 0.5]) + 0.1 * rng.normal(size=ROWS)
ONES, ZEROS = np.ones(ROWS), np.zeros(FEATURES)


def put(a: np.ndarray, value: float) -> np.ndarray:
    """The array with one entry replaced."""
    out = a.copy()
    out.flat[1] = value
    return out


LANES = {
    "sound": ((X, Y, ONES, ZEROS, 0.1), jr.Status.CONVERGED),
    "features of zeros": ((0 * X, Y, ONES, ZEROS, 0.1), jr.Status.CONVERGED),
    "nothing but zeros": ((0 * X, 0 * Y, ONES, ZEROS, 0.1), jr.Status.CONVERGED),
    "infinite strength": ((X, Y, ONES, ZEROS, np.inf), jr.Status.CONVERGED),
    "no weight": ((X, Y, 0 * ONES, ZEROS, 0.1), jr.Status.EMPTY),
    "NaN feature": ((put(X, np.nan), Y, ONES, ZEROS, 0.1), jr.Status.NONFINITE),
    "infinite feature": ((put(X, np.inf), Y, ONES, ZEROS, 0.1), jr.Status.NONFINITE),
    "infinite target": ((X, put(Y, -np.inf), ONES, ZEROS, 0.1), jr.Status.NONFINITE),
    "NaN weight": ((X, Y, put(ONES, np.nan), ZEROS, 0.1), jr.Status.INVALID_INPUT),
    "infinite weight": ((X, Y, put(ONES, np.inf), ZEROS, 0.1), jr.Status.INVALID_INPUT),
    "negative weight": ((X, Y, put(ONES, -0.5), ZEROS, 0.1), jr.Status.INVALID_INPUT),
    "NaN strength": ((X, Y, ONES, ZEROS, np.nan), jr.Status.INVALID_INPUT),
    "negative strength": ((X, Y, ONES, ZEROS, -1.0), jr.Status.INVALID_INPUT),
}


@pytest.mark.parametrize("name", sorted(zoo.SOLVERS))
def test_every_lane_says_what_it_is(name: str, x64):
    solver = zoo.SOLVERS[name](0.1 * jr.Ridge(), 0.1)

    def fit(X, y, weights, init, strength):
        risk = jr.risk(jr.linear, jr.Squared())
        return jr.minimize(risk, strength * jr.Ridge(), init, (X, y), weights, solver=solver, tol=1e-6, max_steps=400)

    columns = [jnp.asarray(np.stack(column)) for column in zip(*(lane for lane, _ in LANES.values()), strict=True)]
    sol = jax.jit(jax.vmap(fit))(*columns)
    said = {lane: jr.Status(int(s)) for lane, s in zip(LANES, sol.status, strict=True)}
    assert said == {lane: status for lane, (_, status) in LANES.items()}
    lanes, status = list(LANES), np.asarray(sol.status)
    assert np.isfinite(np.asarray(sol.params)[status != jr.Status.INVALID_INPUT]).all()
    assert np.all(np.asarray(sol.gap)[status == jr.Status.CONVERGED] <= 1e-6)
    assert not np.asarray(sol.params)[lanes.index("infinite strength")].any()
    exact = np.linalg.solve(X.T @ X / ROWS + 0.1 * np.eye(FEATURES), X.T @ Y / ROWS)
    np.testing.assert_allclose(sol.params[lanes.index("sound")], exact, atol=3e-3)
