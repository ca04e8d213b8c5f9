"""Sets: membership of what a projection returns, peers, identities, derivatives and extremes."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.test_util import check_grads
from sklearn.isotonic import isotonic_regression

import jaxreg as jr

N = 300
A = np.random.default_rng(7).normal(size=(5, N))
B = A @ np.linspace(-1, 1, N)
SETS = (
    jr.Simplex(2.0),
    jr.L1Ball(2.0),
    jr.L2Ball(2.0),
    jr.LInfBall(0.3),
    jr.Box(-0.3, 0.7),
    jr.L0Ball(17),
    jr.Hyperplane(A[0], 0.3),
    jr.Halfspace(A[0], 0.3),
    jr.Affine(A, B),
    jr.Monotone(),
    jr.Monotone(increasing=False),
    jr.SecondOrderCone(),
    jr.NonNegative(),
)
METRIC = [s for s in SETS if s.metric]
LOW = (jnp.bfloat16, jnp.float16)


def ids(rows) -> list[str]:
    """The names of the sets that rows begin with, numbered."""
    sets = [row[0] if isinstance(row, tuple) else row for row in rows]
    return [f"{type(g).__name__}-{i}" for i, g in enumerate(sets)]


ALL = pytest.mark.parametrize("penalty", SETS, ids=ids(SETS))
IN_METRIC = pytest.mark.parametrize("penalty", METRIC, ids=ids(METRIC))


def draws(dtype, count: int = 6, spread: float = 9.0) -> np.ndarray:
    """Arrays whose sizes range over 10^±spread, each sparse in part and with ties."""
    rng = np.random.default_rng(0)
    size = 10 ** np.linspace(-spread, spread, count)
    x = size[:, None] * rng.normal(size=(count, N)) * rng.integers(0, 2, (count, N))
    x[:, 1] = x[:, 0]
    return x.astype(dtype)


@jax.jit
def project(g, xs, step):
    z = jax.vmap(lambda x: g.prox(x, step))(xs)
    return z, jax.vmap(g.value)(z)


@jax.jit
def prox(g, x, step):
    return g.prox(x, step)


@jax.jit
def pushed(g, x, step):
    """Derivatives of a sum of the projection in the set, the point and the steps."""
    return jax.grad(lambda g, x, t: jnp.sum(jnp.cos(jnp.arange(N)) * g.prox(x, t)), (0, 1, 2))(g, x, step)


@ALL
def test_a_projection_is_a_member_and_stays(penalty: jr.Penalty, dtype: np.dtype):
    z, value = project(penalty, draws(dtype), 1.0)
    np.testing.assert_array_equal(value, 0)
    np.testing.assert_array_equal(project(penalty, z, 1.0)[0], z)


@ALL
@pytest.mark.parametrize("low", LOW, ids=lambda d: d.__name__)
def test_a_projection_rounded_to_half_precision_is_a_member(penalty: jr.Penalty, low):
    xs = jnp.asarray(draws("float32", spread=2.0), low)
    z, value = project(penalty, xs, 1.0)
    assert z.dtype == low and value.dtype == jnp.float32
    np.testing.assert_array_equal(value, 0)
    wide = project(penalty, xs.astype(jnp.float32), 1.0)[0]
    np.testing.assert_array_equal(z[wide == 0], 0)


@IN_METRIC
@pytest.mark.parametrize("spread", [1.0, 8.0])
def test_a_projection_in_a_metric_is_a_member(penalty: jr.Penalty, spread: float, dtype: np.dtype):
    steps = (10 ** np.random.default_rng(1).uniform(-spread, spread, N)).astype(dtype)
    z, value = project(penalty, draws(dtype, spread=4.0), steps)
    np.testing.assert_array_equal(value, 0)
    assert np.isfinite(z).all()


NEAR = (
    (jr.Simplex(1.0), [0.5, 0.25, 0.25], [0.5, 0.25, 0.2501]),
    (jr.Simplex(1.0), [1.0, 0.0, 0.0], [1.0001, -0.0001, 0.0]),
    (jr.L1Ball(1.0), [0.5, -0.5, 0.0], [0.5, -0.5, 0.0001]),
    (jr.L2Ball(5.0), [3.0, -4.0, 0.0], [3.0, -4.0, 0.05]),
    (jr.LInfBall(1.0), [1.0, -1.0, 0.0], [1.0, -1.00001, 0.0]),
    (jr.L0Ball(2), [1.0, 2.0, 0.0], [1.0, 2.0, 1e-30]),
    (jr.Hyperplane(np.array([1.0, 2.0, 3.0]), 6.0), [1.0, 1.0, 1.0], [1.0, 1.0, 1.0001]),
    (jr.Halfspace(np.array([1.0, 2.0, 3.0]), 6.0), [1.0, 1.0, 1.0], [1.0, 1.0, 1.0001]),
    (jr.Affine(np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]), 1.0), [0.5, 0.5, 1.0], [0.5, 0.5, 1.0001]),
    (jr.Monotone(), [1.0, 1.0, 2.0], [1.0, 0.99999, 2.0]),
    (jr.SecondOrderCone(), [5.0, 3.0, 4.0], [4.9999, 3.0, 4.0]),
)


@pytest.mark.parametrize(("penalty", "inside", "outside"), NEAR, ids=ids(NEAR))
def test_members_and_what_is_not_by_little(penalty: jr.Penalty, inside, outside, dtype: np.dtype):
    assert penalty.value(np.array(inside, dtype)) == 0
    assert np.isposinf(penalty.value(np.array(outside, dtype)))
    assert np.isnan(penalty.value(np.array([np.nan, *inside[1:]], dtype)))


PEERS = (
    (jr.Simplex(2.0), lambda x: optax.projections.projection_simplex(x, 2.0)),
    (jr.L1Ball(2.0), lambda x: optax.projections.projection_l1_ball(x, 2.0)),
    (jr.L2Ball(2.0), lambda x: optax.projections.projection_l2_ball(x, 2.0)),
    (jr.LInfBall(2.0), lambda x: optax.projections.projection_linf_ball(x, 2.0)),
    (jr.Box(-0.3, 0.7), lambda x: optax.projections.projection_box(x, -0.3, 0.7)),
    (jr.Hyperplane(A[0], 0.3), lambda x: optax.projections.projection_hyperplane(x, A[0], 0.3)),
    (jr.Halfspace(A[0], 0.3), lambda x: optax.projections.projection_halfspace(x, A[0], 0.3)),
    (jr.Monotone(), isotonic_regression),
    (jr.Monotone(increasing=False), lambda x: isotonic_regression(x, increasing=False)),
)


@pytest.mark.parametrize(("penalty", "peer"), PEERS, ids=ids(PEERS))
def test_projections_of_peers(penalty: jr.Penalty, peer, x64):
    for x in draws("float64", spread=2.0):
        np.testing.assert_allclose(penalty.prox(x, 1.0), peer(x), rtol=1e-9, atol=1e-12 * np.abs(x).max())


@pytest.mark.parametrize("n", [1, 2, 33, 1000, 10_000])
def test_weighted_isotonic_regression_of_a_peer(n: int, dtype: np.dtype):
    """Any length, weights over four decades: the metric weighs an entry by 1/step."""
    rng = np.random.default_rng(n)
    y = (np.linspace(-1, 1, n) + rng.normal(size=n)).astype(dtype)
    w = (10 ** rng.uniform(-2, 2, n)).astype(dtype)
    expected = isotonic_regression(y.astype(float), sample_weight=w.astype(float))
    found = jr.Monotone().prox(y, 1 / w)
    np.testing.assert_allclose(found, expected, atol=64 * np.finfo(dtype).eps)


def test_isotonic_regression_of_what_pools_one_by_one(dtype: np.dtype):
    """A last entry that undoes all before it: neighbours would be pooled in as many rounds as there are entries."""
    y = np.append(np.arange(999.0), -1e6).astype(dtype)
    np.testing.assert_allclose(jr.Monotone().prox(y), isotonic_regression(y.astype(float)), rtol=1e-5)


def test_identities(x64):
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(3, 7)), 10 ** rng.uniform(-1, 1, (3, 7))
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)  # noqa: E731
    for step in (1.0, t):
        close(jr.L1Ball(0.5).prox(x, step), np.sign(x) * jr.Simplex(0.5, axis=None).prox(np.abs(x), step))
        close(jr.LInfBall(0.5).prox(x, step), jr.Box(-0.5, 0.5).prox(x, step))
        close(jr.Monotone().prox(np.sort(x), step), np.sort(x))
        close(jr.Monotone(increasing=False).prox(x, step), -jr.Monotone().prox(-x, step))
        close(jr.Monotone().prox(-np.sort(x), 1.0), np.broadcast_to(-x.mean(-1, keepdims=True), x.shape))
        one = jr.Affine(t[0][None], 0.7, axis=-1).prox(x, step)
        close(one, jr.Hyperplane(t[0], 0.7, axis=-1).prox(x, step))
        plane, half = (kind(t[0], -50.0, axis=-1) for kind in (jr.Hyperplane, jr.Halfspace))
        close(half.prox(x, step), plane.prox(x, step))
        close(jr.Halfspace(t[0], 50.0, axis=-1).prox(x, step), x)
        close(jr.L0Ball(21).prox(x, step), x)
    huge = jr.Simplex(1e6).prox(x)
    close(huge, x + (1e6 - x.sum(-1, keepdims=True)) / 7)
    close(jr.L2Ball(1.0, axis=(0, 1)).prox(x), jr.L2Ball(1.0).prox(x))
    close(jr.Simplex(1.0, axis=None).prox(x), jr.Simplex(1.0).prox(x.reshape(-1)).reshape(x.shape))
    for kind in (jr.Simplex(1.0, axis=0), jr.L0Ball(2, axis=0), jr.SecondOrderCone(axis=0), jr.Monotone(axis=0)):
        close(kind.prox(x), dataclasses.replace(kind, axis=-1).prox(x.T).T)


@pytest.mark.parametrize(
    ("ball", "norm"),
    [(jr.L1Ball(0.8), None), (jr.L2Ball(0.8), jr.L2), (jr.LInfBall(0.8), jr.L1)],
    ids=["L1Ball", "L2Ball", "LInfBall"],
)
def test_a_ball_is_the_dual_of_a_norm(ball: jr.Penalty, norm, x64):
    """Moreau (1965): the prox of the support function, 0.8 times the dual norm, is what the projection leaves."""
    x = np.random.default_rng(0).normal(size=9)
    rest = x - ball.prox(x)
    if norm is not None:
        np.testing.assert_allclose(rest, (0.8 * norm()).prox(x), atol=1e-12)
        np.testing.assert_allclose(ball.conjugate(x), (0.8 * norm()).value(x), rtol=1e-12)
    np.testing.assert_allclose(ball.prox_dual(x), rest, atol=1e-12)
    np.testing.assert_allclose(ball.conjugate(rest), np.dot(rest, ball.prox(x)), rtol=1e-10)


def test_cones_split_a_point_into_orthogonal_parts(x64):
    """Moreau (1962): what a projection on the second-order cone leaves is in the cone's negative, at a right angle."""
    for x in draws("float64", spread=3.0):
        p = np.asarray(jr.SecondOrderCone().prox(x))
        left = x - p
        assert abs(p @ left) <= 1e-12 * (x @ x)
        assert np.linalg.norm(left[1:]) <= -left[0] + 1e-12 * np.linalg.norm(x)


@pytest.mark.parametrize("ball", [jr.Simplex(0.0), jr.L1Ball(0.0), jr.L2Ball(0.0), jr.LInfBall(0.0)], ids=repr)
def test_radius_zero_leaves_the_origin(ball: jr.Penalty, dtype: np.dtype):
    x = draws(dtype)
    steps = np.linspace(1, 2, N).astype(dtype)
    for step in (dtype.type(1), steps):
        z, value = project(ball, x, step)
        np.testing.assert_array_equal(z, 0)
        np.testing.assert_array_equal(value, 0)
        slope = jax.grad(lambda r, ball=ball, step=step: jnp.sum(type(ball)(r).prox(x[3], step)))(dtype.type(0))
        assert np.isfinite(slope)


@pytest.mark.parametrize("kind", [jr.Simplex, jr.L1Ball, jr.L2Ball, jr.LInfBall])
def test_a_batch_of_radii_is_a_set(kind, dtype: np.dtype):
    radii, x = np.array([0.0, 0.5, 2.0, 1e6], dtype), np.linspace(-1, 2, 8).astype(dtype)
    batch = jax.vmap(lambda r: kind(r).prox(x))(radii)
    for r, z in zip(radii, batch, strict=True):
        np.testing.assert_allclose(z, kind(r).prox(x), rtol=1e-6)


def test_radii_broadcast_over_groups(x64):
    x, radii = np.random.default_rng(0).normal(size=(3, 5)), np.array([[0.1], [1.0], [9.0]])
    for kind in (jr.Simplex, jr.L1Ball, jr.L2Ball):
        z = kind(radii, axis=-1).prox(x)
        for row, r, moved in zip(x, radii[:, 0], z, strict=True):
            np.testing.assert_allclose(moved, kind(r).prox(row), rtol=1e-12)
        with pytest.raises(ValueError, match="broadcast"):
            kind(np.ones(4), axis=-1).prox(x)


def test_limits_of_a_metric(x64):
    """Entries of step 0 stay where the set lets them; entries of infinite step give way first."""
    x, step = np.array([0.3, 2.0, 1.0]), np.array([0.0, 1.0, 1.0])
    np.testing.assert_allclose(jr.Simplex().prox(x, step), [0.3, 0.7, 0.0], atol=1e-12)
    np.testing.assert_allclose(jr.L1Ball(1.0).prox(x, np.array([1.0, np.inf, 1.0])), [0.15, 0.0, 0.85], atol=1e-12)
    np.testing.assert_allclose(jr.Monotone().prox(x[::-1], step[::-1])[2], 0.3, atol=1e-12)
    for g in METRIC:
        y = np.resize(x, N)
        np.testing.assert_allclose(g.prox(y, np.full(N, 3.0)), g.prox(y, 1.0), rtol=1e-10, atol=1e-12)


DIFFERENTIABLE = [s for s in SETS if not isinstance(s, (jr.Affine, jr.Hyperplane, jr.Halfspace))]
SMALL = (
    *DIFFERENTIABLE,
    jr.Hyperplane(A[0, :5], 0.3),
    jr.Halfspace(A[0, :5], -0.3),
    jr.Affine(A[:2, :5], B[:2]),
    jr.Affine(A[:2, :5], -B[:2]),
)


@pytest.mark.parametrize("penalty", SMALL, ids=ids(SMALL))
def test_derivatives_in_point_leaves_and_metric(penalty: jr.Penalty, x64):
    """Against finite differences at points without ties, inside and outside."""
    rng = np.random.default_rng(3)
    step = 10 ** rng.uniform(-1, 1, 5) if penalty.metric else 1.0
    for size in (0.1, 3.0):
        x = size * rng.normal(size=5)
        check_grads(prox, (penalty, x, step), 1, eps=1e-6, rtol=1e-5, atol=1e-5)


def test_the_derivative_of_isotonic_regression_averages_over_blocks(x64):
    x, w = np.array([1.0, 4.0, 2.0, 2.5, 9.0]), np.array([1.0, 1.0, 2.0, 1.0, 5.0])
    jacobian = jax.jacobian(lambda x: jr.Monotone().prox(x, 1 / w))(x)
    expected = np.eye(5)
    expected[1:4, 1:4] = w[1:4] / 4
    np.testing.assert_allclose(jacobian, expected, atol=1e-12)


@IN_METRIC
def test_derivatives_are_finite_at_ties_and_on_the_boundary(penalty: jr.Penalty, dtype: np.dtype):
    step = np.full(N, 0.5, dtype)
    for x in (np.zeros(N), np.ones(N), -np.ones(N), np.asarray(penalty.prox(np.ones(N, dtype)))):
        made = pushed(jax.tree.map(lambda v: jnp.asarray(v, dtype), penalty), x.astype(dtype), step)
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(made))


def test_shapes_without_entries(dtype: np.dtype):
    groups = (jr.Simplex(), jr.L1Ball(axis=-1), jr.L2Ball(axis=-1), jr.L0Ball(1, axis=-1), jr.Monotone())
    for g in (*groups, jr.SecondOrderCone(), jr.LInfBall()):
        for shape in ((0,), (3, 0), (0, 3)):
            empty = np.zeros(shape, dtype)
            assert g.prox(empty, 0.5).shape == shape and g.value(empty) == 0
            assert not g.dualisable or g.conjugate(empty) == 0


REFUSED = (
    (jr.Simplex(-1.0), "radius is -1.0"),
    (jr.L1Ball(np.array([1.0, np.nan])), "radius is array"),
    (jr.L2Ball(-1.0), "radius is -1.0"),
    (jr.LInfBall(-1.0), "radius is -1.0"),
    (jr.Hyperplane(np.zeros(3)), "normal must be"),
    (jr.Halfspace(np.array([1.0, np.inf])), "normal must be"),
    (jr.Affine(np.ones((2, 3)), np.array([0.0, 1.0])), "contradict"),
)


@pytest.mark.parametrize(("penalty", "message"), REFUSED, ids=ids(REFUSED))
def test_sets_that_are_empty_are_refused(penalty: jr.Penalty, message: str):
    data = (np.ones((3, 3), "float32"), np.ones(3, "float32"))
    with pytest.raises(ValueError, match=message):
        jr.minimize(jr.risk(jr.linear, jr.Squared()), penalty, np.zeros(3, "float32"), data)


@pytest.mark.parametrize("size", [-1, 1.5, True, None])
def test_a_size_that_is_no_count_is_refused(size):
    with pytest.raises(ValueError, match="L0Ball: size is"):
        jr.L0Ball(size)


def test_a_cone_has_no_prox_in_a_metric():
    with pytest.raises(TypeError, match="diagonal metric"):
        jr.SecondOrderCone().prox(np.ones(3, "float32"), np.ones(3, "float32"))


def test_every_solver_finds_the_same_monotone_and_conic_fit(x64):
    """Cones go to Newton by default, bounded sets to a splitting."""
    rng = np.random.default_rng(0)
    data = (rng.normal(size=(40, 8)), rng.normal(size=40))
    risk = jr.risk(jr.linear, jr.Squared())
    for g in (jr.Monotone(), jr.SecondOrderCone(), jr.Simplex(), jr.Hyperplane(np.ones(8), 1.0)):
        fits = [jr.minimize(risk, g, np.zeros(8), data, solver=s, tol=1e-12) for s in (None, jr.FISTA())]
        assert all(fit.status == 0 for fit in fits)
        np.testing.assert_allclose(fits[0].params, fits[1].params, atol=1e-6)


@pytest.mark.parametrize("g", [jr.Simplex(), jr.L2Ball(0.5), jr.L1Ball(0.5), jr.Box(-0.1, 0.2)], ids=repr)
@pytest.mark.parametrize("loss", [jr.Squared(), jr.Logistic(), jr.Poisson()], ids=repr)
def test_bounded_sets_are_solved_in_whatever_units_the_features_are(loss: jr.Loss, g: jr.Penalty, x64):
    """First-order conditions in NumPy: no feasible point is lower along the gradient, a support function's value."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 8)) * np.array([1, 100, 0.01, 1, 1, 1, 10, 1])
    y = (rng.random(40) < 0.5).astype(float)
    w = np.asarray(jr.minimize(jr.risk(jr.linear, loss), g, np.zeros(8), (X, y), tol=1e-9).params)
    z = X @ w
    means = {"Squared": z, "Logistic": 1 / (1 + np.exp(-z)), "Poisson": np.exp(z)}
    slope = X.T @ (means[type(loss).__name__] - y) / 40
    lowest = {
        "Simplex": np.min(slope),
        "L2Ball": -0.5 * np.linalg.norm(slope),
        "L1Ball": -0.5 * np.max(np.abs(slope)),
        "Box": np.sum(np.minimum(-0.1 * slope, 0.2 * slope)),
    }
    assert slope @ w - lowest[type(g).__name__] <= 1e-7
