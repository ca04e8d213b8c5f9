"""Paths: the grid, its top, and every fit on it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxreg as jr

SQUARED = jr.risk(jr.linear, jr.Squared())
FINE = {"solver": jr.FISTA(), "tol": 1e-13}
LOGISTIC = jr.risk(jr.linear, jr.Logistic())


def plain_linear(params, X):
    """What `linear` does, unknown to the library: the generic route."""
    return jr.linear(params, X)


def sample(dtype="float64", n: int = 30, p: int = 6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, p)) + 0.5
    truth = np.zeros(p)
    truth[:3] = [2.0, -1.0, 0.5]
    return X.astype(dtype), (X @ truth + 1 + 0.2 * rng.normal(size=n)).astype(dtype)


def test_strengths_descend_evenly_from_the_top(dtype: np.dtype):
    data = sample(dtype)
    made = jr.path(SQUARED, jr.L1(), data, num=8, ratio=0.1, tol=1e-4)
    assert made.strengths.shape == (8,) and made.strengths.dtype == dtype and made.params.shape == (8, 6)
    np.testing.assert_allclose(made.strengths[0], jr.strength_max(SQUARED, jr.L1(), data), rtol=1e-5)
    np.testing.assert_allclose(made.strengths[1:] / made.strengths[:-1], 0.1 ** (1 / 7), rtol=1e-4)
    assert (made.status == 0).all() and (made.gap <= 1e-4).all() and not np.asarray(made.params[0]).any()


def test_given_strengths_are_honoured_in_descending_order(x64):
    data, given = sample(), [0.1, 0.0, 3.0, 0.5]
    made = jr.path(SQUARED, jr.L1(), data, strengths=given, tol=1e-10)
    np.testing.assert_array_equal(made.strengths, [3.0, 0.5, 0.1, 0.0])
    np.testing.assert_allclose(made[3], np.linalg.lstsq(*data)[0], atol=1e-6)
    assert (made[0] == made.params[0]).all()


PENALTIES = {
    "l1": (jr.L1(), None),
    "l1-per-feature": (np.array([1.0, 0.5, 2.0, 1.0, 3.0, 1.0]) * jr.L1(), None),
    "elastic": (jr.L1() + 0.2 * jr.Ridge(), None),
    "group": (jr.L2(), None),
    "rows": (jr.L2(axis=1), 3),
    "nuclear": (jr.Nuclear(), 3),
}


@pytest.mark.parametrize(("name", "intercept"), [*((n, False) for n in PENALTIES), ("l1", True), ("nuclear", True)])
def test_strength_max_is_exact(name: str, intercept: bool, x64):
    """All zero at it, something nonzero just below."""
    penalty, outputs = PENALTIES[name]
    X, y = sample()
    if outputs:
        y = np.stack([y, X[:, 0] - y, X[:, 1]], 1)
    init = jr.linear_params((X, y), intercept=intercept)
    top = jr.strength_max(SQUARED, penalty, (X, y), init=init)
    made = jr.path(
        SQUARED, penalty, (X, y), strengths=[float(top) * (1 + 1e-9), 0.99 * float(top)], init=init, tol=1e-10
    )
    coef = np.asarray(made.params["coef"] if intercept else made.params)
    assert not coef[0].any() and coef[1].any()


def test_strength_max_of_a_logistic_model_with_intercept(x64):
    X, y = sample()
    data = (X, (y > y.mean()).astype(float))
    init = jr.linear_params(data)
    top = float(jr.strength_max(LOGISTIC, jr.L1(), data, init=init))
    slope = 1 / (1 + np.exp(-np.log(data[1].mean() / (1 - data[1].mean())))) - data[1]
    assert np.isclose(top, np.abs(X.T @ slope / len(y)).max(), rtol=1e-6)


def test_strength_max_leaves_out_what_is_unpenalised(x64):
    """Entries of strength 0 are fitted first; the rest starts from their residual."""
    X, y = sample()
    strengths = np.array([0.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    r = y - X[:, :1] @ np.linalg.lstsq(X[:, :1], y)[0]
    top = jr.strength_max(SQUARED, strengths * jr.L1(), (X, y))
    assert np.isclose(top, np.abs(X[:, 1:].T @ r / len(y)).max(), rtol=1e-6)
    made = jr.path(SQUARED, strengths * jr.L1(), (X, y), num=5, tol=1e-8)
    assert (made.params[:, 0] != 0).all() and np.abs(made.params[0, 1:]).max() < 1e-7
    assert (made.status == 0).all()


def test_strength_max_of_tasks_is_the_largest_pull_at_their_means(x64):
    rng = np.random.default_rng(5)
    X, y, rows = rng.normal(size=(3, 8, 4)), rng.normal(size=(3, 8)) + 7, rng.integers(0, 2, (3, 8)) + 0.0
    rows[:, 0] = 1
    share = rows / rows.sum(1, keepdims=True)
    pull = np.einsum("tn,tnp,tn->tp", share, X, y - (share * y).sum(1, keepdims=True))
    longest = np.abs(pull).sum(0).max()
    expected = [
        (jr.L2(axis=0), np.linalg.norm(pull, axis=0).max()),
        (jr.LInf(axis=0), longest),
        (jr.Nuclear(), np.linalg.norm(pull, 2)),
    ]
    joint, init = jr.multitask(SQUARED, axes=0), jr.linear_params((X, y))
    for penalty, top in expected:
        np.testing.assert_allclose(jr.strength_max(joint, penalty, (X, y), rows, init=init), top, rtol=1e-12)
    dirty = jr.multitask_models.dirty(shared=2.0, own=3.0)
    top = jr.strength_max(dirty.risk(), dirty.penalty, (X, y), rows, init=dirty.init((X, y)))
    np.testing.assert_allclose(top, max(longest / 2, np.abs(pull).max() / 3), rtol=1e-12)


def test_ridge_has_no_top_but_a_grid(x64):
    with pytest.raises(TypeError, match="not a gauge"):
        jr.strength_max(SQUARED, jr.Ridge(), sample())
    made = jr.path(SQUARED, jr.Ridge(), sample(), num=5, tol=1e-10)
    X, y = sample()
    for s, w in zip(made.strengths, made.params, strict=True):
        exact = np.linalg.solve(X.T @ X / len(y) + float(s) * np.eye(6), X.T @ y / len(y))
        np.testing.assert_allclose(w, exact, atol=1e-6)


@pytest.mark.parametrize("shape", [(30, 6), (6, 14)], ids=["moments", "rows"])
@pytest.mark.parametrize("intercept", [False, True])
def test_a_warm_path_is_its_cold_fits(shape: tuple, intercept: bool, x64, request: pytest.FixtureRequest):
    data = sample("float64", *shape)
    init = jr.linear_params(data, intercept=intercept)
    made = jr.path(SQUARED, jr.L1(), data, num=6, ratio=0.05, init=init, **FINE)
    assert made.route == request.node.callspec.id.split("-")[-1] or made.route in request.node.callspec.id
    for i in range(6):
        cold = jr.minimize(SQUARED, made.strengths[i] * jr.L1(), init, data, **FINE)
        for a, b in zip(jax.tree.leaves(made[i]), jax.tree.leaves(cold.params), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6)
        np.testing.assert_allclose(made.value[i], cold.value, rtol=1e-10)


@pytest.mark.parametrize(
    "shape, route", [((30, 6), "moments"), ((10, 12), "moments"), ((6, 14), "rows")], ids=["tall", "square", "wide"]
)
def test_routes_agree(shape: tuple, route: str, dtype: np.dtype):
    data = sample(dtype, *shape)
    tight = dtype == np.float64
    tol = 1e-11 if tight else 1e-4
    known = jr.path(SQUARED, jr.L1(), data, num=5, ratio=0.1, tol=tol)
    generic = jr.path(
        jr.risk(plain_linear, jr.Squared()),
        jr.L1(),
        data,
        strengths=known.strengths,
        init=np.zeros(shape[1], dtype),
        tol=1e-8 if tight else 1e-4,
        max_steps=50_000,
    )
    assert known.route == route and generic.route == "generic"
    assert (known.status == 0).all() and (generic.status == 0).all()
    np.testing.assert_allclose(known.value, generic.value, rtol=1e-9 if tight else 1e-3)
    np.testing.assert_allclose(known.params, generic.params, atol=1e-5 if tight else 2e-2)


def test_several_tasks_and_outputs(x64):
    X, y = sample()
    tasks = (np.stack([X, X[::-1]]), np.stack([y, 2 * y[::-1]]))
    joint = jr.multitask(SQUARED)
    made = jr.path(joint, jr.L2(axis=0), tasks, num=4, tol=1e-10, init=jr.linear_params(tasks))
    outputs = (X, np.stack([y, 2 * y], 1))
    same = jr.path(SQUARED, jr.L2(axis=1), outputs, strengths=made.strengths, tol=1e-10, init=jr.linear_params(outputs))
    np.testing.assert_allclose(made.params["coef"], np.swapaxes(same.params["coef"], 1, 2), atol=1e-7)
    np.testing.assert_allclose(made.value, same.value, rtol=1e-9)


def test_classes_need_a_form(dtype: np.dtype):
    X, _ = sample(dtype)
    labels = np.arange(30) % 3
    risk = jr.risk(jr.linear, jr.Softmax())
    with pytest.raises(ValueError, match="number_of_classes"):
        jr.path(risk, jr.L1(), (X, labels), num=3)
    init = jr.linear_params((X, labels), outputs=3)
    made = jr.path(risk, jr.L1(), (X, labels), num=3, init=init, tol=1e-4)
    assert made.params["coef"].shape == (3, 6, 3) and (made.status == 0).all()
    assert not np.asarray(made.params["coef"][0]).any()


def test_a_path_under_jit_and_weights(x64):
    X, y = sample()
    w = jnp.asarray(np.random.default_rng(0).integers(0, 3, 30).astype(float))
    rows = np.repeat(np.arange(30), np.asarray(w, int))
    grid = np.array([0.5, 0.1, 0.01])
    made = jax.jit(lambda X, y, w: jr.path(SQUARED, jr.L1(), (X, y), weights=w, strengths=grid, **FINE))(X, y, w)
    same = jr.path(SQUARED, jr.L1(), (X[rows], y[rows]), strengths=grid, **FINE)
    np.testing.assert_allclose(made.params, same.params, atol=1e-8)


@pytest.mark.parametrize(
    "kwargs", [{"strengths": [-1.0]}, {"strengths": []}, {"num": 0}, {"ratio": 0.0}, {"ratio": 2.0}, {"tol": -1}]
)
def test_what_is_wrong_is_named(kwargs: dict):
    with pytest.raises(ValueError, match=next(iter(kwargs))):
        jr.path(SQUARED, jr.L1(), sample("float32"), **kwargs)
