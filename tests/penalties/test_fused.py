"""Total variation and trend filtering: optimality conditions on long inputs, identities, derivatives, edge cases."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxreg as jr
import oracles
from jaxreg.penalties.fused import _forests

CYCLE = tuple((i, (i + 1) % 6) for i in range(6))
LONG = 300


def signals(n: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    t = np.linspace(0, 1, n)
    return {
        "noise": rng.normal(size=n),
        "steps": np.repeat(rng.normal(size=-(-n // 20)), 20)[:n] + 0.2 * rng.normal(size=n),
        "walk": np.cumsum(rng.normal(size=n)),
        "ramp": 10 * t,
        "growth": np.exp(20 * t),
        "ties": rng.integers(0, 3, n).astype(float),
        "constant": np.full(n, 0.1),
    }


def excess_1d(x: np.ndarray, z: np.ndarray, strength: np.ndarray | float) -> float:
    """By how much the dual point of z breaks |u| <= strength, or differs from it at a jump."""
    x, z = x.astype(float), z.astype(float)
    u, jump = np.cumsum(z - x), np.sign(np.diff(z))
    strength = np.broadcast_to(strength, u[:-1].shape)
    at_jumps = np.abs(u[:-1] - strength * jump)[jump != 0]
    return max(np.abs(u[-1]), np.max(np.abs(u[:-1]) - strength), np.max(at_jumps, initial=0.0))


@pytest.mark.parametrize("name", list(signals(2, np.random.default_rng(0))))
def test_tv1d_is_optimal_on_long_signals(name: str, dtype: np.dtype):
    x = signals(LONG, np.random.default_rng(0))[name].astype(dtype)
    rounding = 64 * np.finfo(dtype).eps * np.abs(x).max() * np.sqrt(LONG)
    prox = jax.jit(jr.TV1D().prox)
    for step in (1e-6, 1e-2, 0.3, 2.0, 50.0):
        assert excess_1d(x, np.asarray(prox(x, step)), np.float64(dtype.type(step))) <= rounding


def test_tv1d_is_optimal_with_a_strength_per_difference(dtype: np.dtype):
    rng = np.random.default_rng(1)
    x, strengths = rng.normal(size=LONG).astype(dtype), rng.exponential(size=LONG - 1).astype(dtype)
    strengths[::7] = 0.0
    z = np.asarray((strengths * jr.TV1D()).prox(x, 1.0))
    assert excess_1d(x, z, strengths.astype(float)) <= 1e3 * np.finfo(dtype).eps


def test_an_infinite_strength_joins_and_a_zero_one_parts(dtype: np.dtype):
    x = np.array([1.0, 3.0, 10.0, 20.0], dtype)
    joined = (np.array([np.inf, 0.0, np.inf]) * jr.TV1D()).prox(x, 1.0)
    np.testing.assert_array_equal(joined, [2.0, 2.0, 15.0, 15.0])
    np.testing.assert_allclose(jr.TV1D().prox(x, np.inf), np.full(4, 8.5), rtol=1e-6)


@pytest.mark.parametrize("size", [1e-9, 1e9])
def test_proxes_scale(size: float, dtype: np.dtype):
    x = np.random.default_rng(0).normal(size=(3, 4)).astype(dtype)
    for g in (jr.TV1D(), jr.TV2D(), jr.GraphTV(((0, 1), (1, 2), (2, 3))), jr.TrendFilter(1)):
        rounding = 256 * np.finfo(dtype).eps
        scaled = np.asarray(g.prox((size * x).astype(dtype), size * 0.2)) / dtype.type(size)
        np.testing.assert_allclose(scaled, g.prox(x, 0.2), rtol=0, atol=rounding)


def test_a_metric_with_free_and_fixed_entries(x64):
    x = np.array([0.0, 3.0, 5.0, 9.0])
    moved = jr.TV1D().prox(x, np.array([0.0, 1.0, np.inf, 0.5]))
    np.testing.assert_allclose(np.delete(moved, 2), [0.0, 3.0, 8.5])
    assert 3 <= moved[2] <= 8.5  # a free entry may lie anywhere between its neighbours
    np.testing.assert_allclose(jr.TV1D().prox(x, np.full(4, np.inf)), np.full(4, 4.25))
    moved = jax.jit(lambda step: jr.TV1D().prox(x, step))(np.array([0.0, 1.0, 0.0, 0.0]))
    assert moved[0] == 0 and moved[2] == 5 and moved[3] == 9


def chain(n: int) -> tuple:
    return tuple((i, i + 1) for i in range(n - 1))


def grid_edges(rows: int, columns: int) -> tuple:
    index = np.arange(rows * columns).reshape(rows, columns)
    across = zip(index[:, :-1].ravel(), index[:, 1:].ravel(), strict=True)
    down = zip(index[:-1].ravel(), index[1:].ravel(), strict=True)
    return tuple((int(a), int(b)) for a, b in (*across, *down))


def test_one_penalty_by_several_names(dtype: np.dtype):
    x = np.random.default_rng(0).normal(size=(3, 4)).astype(dtype)
    rounding = 64 * np.finfo(dtype).eps
    pairs = (
        (jr.TrendFilter(0), jr.TV1D(), x),
        (jr.GraphTV(chain(4)), jr.TV1D(), x),
        (jr.TV2D(), jr.TV1D(), x[:1]),
        (jr.TV2D(), jr.TV1D(axis=0), x[:, :1]),
    )
    for one, other, at in pairs:
        np.testing.assert_allclose(one.value(at), other.value(at), rtol=rounding)
        np.testing.assert_allclose(one.prox(at, 0.4), other.prox(at, 0.4), atol=rounding)
    on_grid = jr.GraphTV(grid_edges(3, 4)).prox(x.ravel(), 0.4)
    np.testing.assert_allclose(on_grid.reshape(3, 4), jr.TV2D().prox(x, 0.4), atol=rounding)


def test_a_fused_lasso_without_one_of_its_strengths(dtype: np.dtype):
    x = np.random.default_rng(0).normal(size=6).astype(dtype)
    np.testing.assert_array_equal((0.0 * jr.TV1D() + 0.5 * jr.L1()).prox(x, 1.0), (0.5 * jr.L1()).prox(x, 1.0))
    np.testing.assert_array_equal((0.5 * jr.TV1D() + 0.0 * jr.L1()).prox(x, 1.0), (0.5 * jr.TV1D()).prox(x, 1.0))


@pytest.mark.parametrize("step", [0.05, 0.4, 1.5])
def test_tv2d_is_the_oracle_on_an_image(step: float, x64):
    import cvxpy as cp

    rng = np.random.default_rng(0)
    x = np.kron(rng.normal(size=(3, 4)), np.ones((4, 3))) + 0.3 * rng.normal(size=(12, 12))
    expected = oracles.cvx_prox(
        lambda z: (cp.sum(cp.abs(cp.diff(z, axis=0))) + cp.sum(cp.abs(cp.diff(z, axis=1))), []), x, step
    )
    np.testing.assert_allclose(jr.TV2D().prox(x, step), expected, atol=2e-5)


@pytest.mark.parametrize("step", [0.05, 0.4])
def test_a_random_graph_is_the_oracle(step: float, x64):
    import cvxpy as cp

    rng = np.random.default_rng(0)
    ends = rng.integers(0, 40, (120, 2))
    edges, x = tuple((int(a), int(b)) for a, b in ends if a != b), rng.normal(size=40)
    w = rng.exponential(size=len(edges))
    a, b = np.array(edges).T
    expected = oracles.cvx_prox(lambda z: (w @ cp.abs(z[a] - z[b]), []), x, step)
    np.testing.assert_allclose(jr.GraphTV(edges, w).prox(x, step), expected, atol=2e-5)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_trend_filters_are_optimal_on_long_series(order: int, x64):
    n, rng = 120, np.random.default_rng(order)
    D = np.diff(np.eye(n), order + 1, axis=0)
    prox = jax.jit(jr.TrendFilter(order).prox)
    for x in (rng.normal(size=n), np.abs(np.linspace(-5, 5, n)) + 0.3 * rng.normal(size=n)):
        for step in (1e-3, 0.1, 3.0, 100.0):
            z = np.asarray(prox(x, step))
            u = np.linalg.lstsq(D.T, x - z, rcond=None)[0]
            assert np.abs(D.T @ u - (x - z)).max() <= 1e-11
            assert np.abs(u).max() <= step * (1 + 1e-7)
            assert step * np.abs(D @ z).sum() - u @ (D @ z) <= 1e-8 * (1 + step * np.abs(D @ z).sum())


def test_trend_filters_in_single_precision():
    t, rng = np.linspace(0, 1, 60), np.random.default_rng(0)
    x = (5 * np.abs(t - 0.4) + 0.2 * rng.normal(size=60)).astype("float32")
    single = np.asarray(jr.TrendFilter(1).prox(x, 1.0))
    with jax.enable_x64(True):
        double = np.asarray(jr.TrendFilter(1).prox(x.astype(float), 1.0))
    np.testing.assert_allclose(single, double, atol=1e-4)


@pytest.mark.parametrize("order", [1, 2])
def test_trend_filters_keep_polynomials_and_end_in_one(order: int, x64):
    t, rng = np.linspace(-1, 1, 30), np.random.default_rng(0)
    polynomial = np.polyval(rng.normal(size=order + 1), t)
    np.testing.assert_allclose(jr.TrendFilter(order).prox(polynomial, 7.0), polynomial, atol=1e-12)
    x = rng.normal(size=30)
    fitted = np.polyval(np.polyfit(t, x, order), t)
    np.testing.assert_allclose(jr.TrendFilter(order).prox(x, np.inf), fitted, atol=1e-11)


MOVING = (
    jr.TV1D(),
    jr.TV1D(axis=0),
    jr.TV2D(),
    jr.GraphTV(((0, 1), (1, 2), (2, 3), (3, 0)), np.array([1.0, 0.5, 0.7, 0.2])),
    jr.TrendFilter(1),
    jr.TV1D() + 0.3 * jr.L1(),
)


@pytest.mark.parametrize("g", MOVING, ids=repr)
def test_derivatives_are_those_of_the_prox(g: jr.Penalty, x64):
    """Central differences in x, the step and the penalty's own leaves, where no piece changes."""
    rng = np.random.default_rng(3)
    x, dx, step, h = rng.normal(size=(3, 4)), rng.normal(size=(3, 4)), 0.25, 1e-6
    g = jax.tree.map(jnp.asarray, g)
    dg = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape), g)

    def at(t: float) -> jax.Array:
        moved = jax.tree.map(lambda a, b: a + t * b, g, dg)
        return moved.prox(x + t * dx, step * (1 + t))

    _, tangent = jax.jvp(lambda t: at(t), (0.0,), (1.0,))
    np.testing.assert_allclose(tangent, (at(h) - at(-h)) / (2 * h), atol=1e-7)
    forward, reverse = jax.jacfwd(g.prox)(x, step), jax.jacrev(g.prox)(x, step)
    np.testing.assert_allclose(forward, reverse, atol=1e-14)


def test_derivatives_in_a_metric(x64):
    rng, h = np.random.default_rng(0), 1e-6
    x, step, d = rng.normal(size=6), rng.uniform(0.2, 0.6, 6), rng.normal(size=6)
    _, tangent = jax.jvp(lambda s: jr.TV1D().prox(x, s), (step,), (d,))
    moved = (jr.TV1D().prox(x, step + h * d) - jr.TV1D().prox(x, step - h * d)) / (2 * h)
    np.testing.assert_allclose(tangent, moved, atol=1e-7)


EVERY = (jr.TV1D(), jr.TV2D(), jr.GraphTV(CYCLE), jr.TrendFilter(1))


@pytest.mark.parametrize("g", EVERY, ids=repr)
def test_nan_and_infinity_are_never_silent(g: jr.Penalty, dtype: np.dtype):
    x = np.random.default_rng(0).normal(size=(2, 6)).astype(dtype)
    for bad in (np.nan, np.inf):
        spoiled = x.copy()
        spoiled[0, 2] = bad
        assert not np.isfinite(np.asarray(g.prox(spoiled, 0.5)))[0].any()
    assert np.isnan(np.asarray(g.prox(x, np.nan))).all()


@pytest.mark.parametrize("g", EVERY, ids=repr)
def test_nothing_and_next_to_nothing(g: jr.Penalty, dtype: np.dtype):
    shapes = ((0, 6), (1, 6)) if isinstance(g, jr.GraphTV) else ((0, 6), (6, 0), (1, 1), (0, 0))
    for shape in shapes:
        x = np.ones(shape, dtype)
        assert g.value(x) == 0 and np.array_equal(g.prox(x, 0.5), x) and np.array_equal(g.prox(x, np.inf), x)


@pytest.mark.parametrize("half", [jnp.bfloat16, jnp.float16], ids=["bfloat16", "float16"])
@pytest.mark.parametrize("g", EVERY, ids=repr)
def test_half_precision_is_kept(g: jr.Penalty, half):
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 6)), half)
    z = g.prox(x, 0.25)
    assert z.dtype == half and g.value(x).dtype == jnp.float32
    np.testing.assert_allclose(np.asarray(z, float), g.prox(x.astype("float32"), 0.25), atol=0.02)


def test_what_is_not_known_is_refused():
    x = np.ones((3, 4), "float32")
    per_edge = np.ones(3) * jr.TV1D()
    for g in (jr.TV1D() + 0.1 * jr.L1(), per_edge, jr.TV2D(), jr.GraphTV(chain(4)), jr.TrendFilter(2)):
        with pytest.raises(TypeError, match="diagonal metric"):
            g.prox(x, x)
    for g in (
        jr.TV1D() + jr.L2(axis=0),
        jr.TV1D() + jr.TV1D(axis=0),
        jr.TV1D() + np.ones(4) * jr.L1(),
        jr.TrendFilter(1) + jr.L1(),
    ):
        with pytest.raises(TypeError, match="No exact prox is known"):
            g.prox(x, 1.0)


def test_structures_out_of_range():
    with pytest.raises(ValueError, match="integer >= 0"):
        jr.TrendFilter(-1)
    for edges in (((0, 0),), ((0, -1),)):
        with pytest.raises(ValueError, match="different positions"):
            jr.GraphTV(edges)
    for weights in (np.ones(2), -1.0, np.nan):
        with pytest.raises(ValueError, match="weights are"):
            jr.GraphTV(chain(4), weights).check()
    x = np.ones(3, "float32")
    for g in (jr.TV1D(axis=1), jr.GraphTV(chain(4)), jr.TV2D(), jr.TrendFilter(1, axis=-2)):
        with pytest.raises(ValueError, match="the array has shape"):
            g.prox(x, 1.0)


def test_the_largest_strength_gives_a_constant_and_a_smaller_one_does_not(dtype: np.dtype):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 5)).astype(dtype)
    y = (X @ np.array([1.0, 1.0, 2.0, 2.0, 2.0]) + 0.1 * rng.normal(size=40)).astype(dtype)
    risk = jr.risk(jr.linear, jr.Squared())
    top = jr.strength_max(risk, jr.TV1D(), (X, y))

    def spread(factor: float) -> float:
        sol = jr.minimize(risk, factor * top * jr.TV1D(), np.zeros(5, dtype), (X, y), tol=1e-5)
        assert sol.status == jr.Status.CONVERGED
        return float(np.ptp(sol.params))

    assert spread(1.001) == 0 and spread(0.98) > 0
    path = jr.path(risk, jr.TV1D(), (X, y), num=5, tol=1e-4)
    np.testing.assert_allclose(path.strengths[0], top, rtol=1e-4)


@pytest.mark.parametrize("seed", range(6))
def test_a_graph_is_the_union_of_its_forests(seed: int):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 30))
    ends = rng.integers(0, n, (int(rng.integers(1, 80)), 2))
    edges = tuple((int(a), int(b)) for a, b in ends if a != b) or ((0, 1),)
    made = _forests.split(edges, n)
    assert all(sorted(order) == list(range(n)) for order in made.order)
    assert sorted(made.edge[made.edge >= 0]) == list(range(len(edges)))
    for e, (a, b) in enumerate(edges):
        assert {int(made.tail[e]), int(made.head[e])} == {a, b}
    k, at = np.nonzero(made.edge >= 0)
    assert np.array_equal(made.order[k, at], made.tail[made.edge[k, at]])
    assert np.array_equal(made.order[k, at + 1], made.head[made.edge[k, at]])
