"""Elementwise penalties: their limits, jumps and derivatives, what they are equal to, and what they refuse."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.optimize import nnls

import jaxreg as jr
from jaxreg.solvers._loop import valid

RISK = jr.risk(jr.linear, jr.Squared())
X = np.linspace(-6.0, 6.0, 241)
STEPS = (0.0, 0.3, 1.0, 2.0, 2.7, 3.0, 4.7, 20.0)
EVEN = (
    jr.SmoothL1(0.5),
    jr.L0(),
    jr.Lq(0.5),
    jr.Lq(2 / 3),
    jr.MCP(1.0, 3.0),
    jr.SCAD(1.0, 3.7),
    jr.LogSum(0.3),
    jr.LogSum(4.0),
)


def regression(rows: int = 40, features: int = 6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    data = rng.normal(size=(rows, features))
    return data, data @ np.array([3.0, -2.0, 1.5, 0.0, 0.0, 0.0]) + 0.3 * rng.normal(size=rows)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("concave", [jr.MCP(0.7, np.inf), jr.SCAD(0.7, np.inf)], ids=repr)
def test_an_infinite_gamma_is_the_lasso(concave: jr.Penalty, step: float, x64):
    lasso = 0.7 * jr.L1()
    np.testing.assert_allclose(concave.value(X), lasso.value(X), rtol=1e-14)
    np.testing.assert_allclose(concave.prox(X, step), lasso.prox(X, step), atol=1e-14)
    near = type(concave)(0.7, 1e9)
    np.testing.assert_allclose(near.prox(X, step), lasso.prox(X, step), atol=1e-6)


@pytest.mark.parametrize("step", STEPS)
def test_smooth_l1_goes_to_l1_and_is_its_envelope(step: float, x64):
    np.testing.assert_allclose(jr.SmoothL1(1e-12).prox(X, step), jr.L1().prox(X, step), atol=1e-11)
    envelope = jr.L1().envelope(X, 0.8)
    np.testing.assert_allclose(jr.SmoothL1(0.8).value(X), envelope, rtol=1e-14)


@pytest.mark.parametrize("step", STEPS)
def test_the_median_is_half_the_absolute_value(step: float, x64):
    np.testing.assert_allclose(jr.AsymmetricL1(0.5).value(X), 0.5 * jr.L1().value(X))
    np.testing.assert_allclose(jr.AsymmetricL1(0.5).prox(X, step), (0.5 * jr.L1()).prox(X, step))


def test_a_steep_log_sum_counts_and_a_flat_one_is_the_lasso(x64):
    np.testing.assert_allclose((1e8 * jr.LogSum(1e8)).prox(X, 1.0), jr.L1().prox(X, 1.0), atol=1e-6)
    count = (1 / np.log(1 + 1e300)) * jr.LogSum(1e-300)
    np.testing.assert_allclose(count.leaf_value(X) / jr.L0().value(X), 1.0, atol=5e-3)


def test_powers_lie_between_counting_and_the_lasso(x64):
    small, large = np.linspace(0.01, 0.99, 50), np.linspace(3.0, 9.0, 50)
    ordered = (jr.L1(), jr.Lq(2 / 3), jr.Lq(0.5), jr.L0())
    values = [np.asarray(g.leaf_terms(jnp.asarray(small))) for g in ordered]
    proxes = [np.asarray(g.prox(large, 1.0)) for g in ordered]
    for these in (values, proxes):
        assert all((a < b).all() for a, b in pairwise(these))


@pytest.mark.parametrize("step", STEPS)
def test_the_nonnegative_lasso_is_the_sum(step: float, x64):
    one, two = 0.7 * jr.L1(positive=True), 0.7 * jr.L1() + jr.NonNegative()
    np.testing.assert_array_equal(one.prox(X, step), two.prox(X, step))
    for x in (X, np.abs(X), np.zeros(3)):
        assert one.value(x) == two.value(x) and one.dual(x) == two.dual(x) and one.conjugate(x) == two.conjugate(x)


@pytest.mark.parametrize("penalty", [jr.L1(positive=True), jr.L1() + jr.NonNegative()], ids=repr)
def test_the_nonnegative_lasso_has_a_gap_and_a_largest_strength(penalty: jr.Penalty, x64):
    features, targets = regression()
    data = features, -targets
    top = float(jr.strength_max(RISK, penalty, data))
    np.testing.assert_allclose(top, np.max(data[0].T @ data[1]) / 40, rtol=1e-12)
    assert top < float(jr.strength_max(RISK, jr.L1(), data))
    for share, zero in ((1.001, True), (0.999, False)):
        fit = jr.minimize(RISK, share * top * penalty, np.zeros(6), data, tol=1e-10)
        assert fit.params.any() != zero
    rough = jr.minimize(RISK, 0.2 * top * penalty, np.zeros(6), data, solver=jr.FISTA(stride=1), tol=1e-2)
    best = jr.minimize(RISK, 0.2 * top * penalty, np.zeros(6), data, solver=jr.FISTA(), tol=1e-12)
    assert best.gap <= 1e-12 and 0 < rough.value - best.value <= rough.gap * float(RISK(np.zeros(6), data))


def test_the_sign_of_the_largest_strength_is_the_sign_of_the_pull(x64):
    """Features that all pull down never enter a nonnegative model; -x enters where x would not."""
    data = np.eye(3), np.array([-1.0, -2.0, -0.5])
    assert float(jr.strength_max(RISK, jr.L1(positive=True), data)) == 0
    np.testing.assert_allclose(jr.strength_max(RISK, jr.L1(), data), 2 / 3)
    np.testing.assert_allclose(jr.strength_max(RISK, jr.AsymmetricL1(0.8), data), 2 / 3 / 0.2)
    np.testing.assert_allclose(jr.strength_max(RISK, jr.AsymmetricL1(0.8), (data[0], -data[1])), 2 / 3 / 0.8)


def test_strength_zero_keeps_the_domain(x64):
    """The end of a nonnegative path is nonnegative least squares, also on entries that were never penalised."""
    free = np.array([0.0, 1.0]) * jr.L1(positive=True)
    assert np.isinf(free.value(np.array([-1.0, 0.0]))) and free.value(np.array([1.0, 0.0])) == 0
    np.testing.assert_array_equal(free.prox(np.array([-1.0, 2.0]), 1.0), [0.0, 1.0])
    assert (0.0 * (np.inf * jr.L1(positive=True))).value(np.ones(2)) == 0
    data = regression()
    fits = jr.path(RISK, jr.L1(positive=True), data, strengths=[1.0, 0.1, 0.0], tol=1e-10)
    np.testing.assert_allclose(fits.params[-1], nnls(*data)[0], atol=1e-8)
    weights = np.array([0.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    top = jr.strength_max(RISK, weights * jr.L1(positive=True), data)
    null = np.array([max(data[0][:, 0] @ data[1] / (data[0][:, 0] @ data[0][:, 0]), 0.0), *np.zeros(5)])
    pull = data[0].T @ (data[1] - data[0] @ null) / 40
    np.testing.assert_allclose(top, pull[1:].max(), rtol=1e-6)


@pytest.mark.parametrize("penalty", [jr.SmoothL1(0.1), 0.5 * jr.SmoothL1(2.0), jr.AsymmetricL1(0.3)], ids=repr)
def test_the_gap_bounds_what_is_left(penalty: jr.Penalty, x64):
    data, zero = regression(), np.zeros(6)
    best = jr.minimize(RISK, penalty, zero, data, solver=jr.FISTA(), tol=1e-12)
    assert best.status == jr.Status.CONVERGED and best.gap <= 1e-12
    for tol in (1e-1, 1e-3, 1e-5):
        rough = jr.minimize(RISK, penalty, zero, data, solver=jr.FISTA(stride=1), tol=tol)
        assert rough.value - best.value <= rough.gap * float(RISK(zero, data)) + 1e-14


def jump(penalty: jr.Penalty, step: float) -> float:
    """Where the prox leaves zero, by bisection."""
    low, high = 0.0, 100.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if float(penalty.prox(np.array([middle]), step)[0]) else (middle, high)
    return high


@pytest.mark.parametrize("step", [0.5, 1.0, 4.0, 9.0])
@pytest.mark.parametrize("penalty", [g for g in EVEN if not g.convex], ids=repr)
def test_zero_and_the_rest_tie_where_the_prox_jumps(penalty: jr.Penalty, step: float, x64):
    """On either side of the threshold the other choice is worse, and the prox moves nowhere else by a jump to zero."""
    bar = jump(penalty, step)

    def objective(z: float, x: float) -> float:
        return step * float(penalty.value(np.array([z]))) + 0.5 * (z - x) ** 2

    below, above = bar * (1 - 1e-6), bar * (1 + 1e-6)
    kept = float(penalty.prox(np.array([above]), step)[0])
    assert float(penalty.prox(np.array([below]), step)[0]) == 0 < kept
    assert objective(kept, above) <= objective(0.0, above) * (1 + 1e-12)
    assert all(objective(z, below) >= objective(0.0, below) * (1 - 1e-12) for z in kept * np.linspace(0, 1.1, 100))


def test_firm_becomes_hard_thresholding(x64):
    mcp, scad = jr.MCP(2.0, 3.0), jr.SCAD(2.0, 3.0)
    for step in (3.0, 5.0, 12.0):
        np.testing.assert_allclose(jump(mcp, step), 2.0 * np.sqrt(3.0 * step), rtol=1e-12)
        x = np.linspace(-30.0, 30.0, 200)
        np.testing.assert_array_equal(mcp.prox(x, step), np.where(np.abs(x) <= 2.0 * np.sqrt(3.0 * step), 0.0, x))
    np.testing.assert_allclose(jump(mcp, 2.0), 4.0, rtol=1e-12)
    np.testing.assert_allclose(jump(scad, 3.0), 6.0, rtol=1e-12)
    np.testing.assert_allclose(scad.prox(np.array([6.9, 7.1]), 3.0), [0.9, 7.1], rtol=1e-12)
    np.testing.assert_allclose(jump(scad, 9.0), 2.0 * np.sqrt(9.0 * 4.0), rtol=1e-12)


@pytest.mark.parametrize("penalty", EVEN, ids=repr)
def test_derivatives_of_the_prox_are_those_of_differences(penalty: jr.Penalty, x64):
    """In the argument, the step and the penalty's own leaves, twice; derivatives at step 0 are one-sided limits."""
    x = np.array([-5.0, 0.05, 2.2, 7.0])
    for step in (0.3, 1.1):
        check_grads(lambda x, t, g: g.prox(x, t), (x, step, penalty), order=2, rtol=2e-4, eps=1e-5)
    slope = jax.jacobian(lambda t: penalty.prox(x, t))(0.0)
    np.testing.assert_allclose(slope, (penalty.prox(x, 1e-8) - x) / 1e-8, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("penalty", EVEN, ids=repr)
def test_derivatives_are_finite_where_the_prox_jumps(penalty: jr.Penalty, dtype: np.dtype):
    spread = np.array([-1e30, -1.0, 0.0, 1e-30, np.finfo(dtype).tiny, 1e9, 1e30], dtype)
    for step in (1e-30, 1e-9, 0.5, 1.0, 4.0, 1e9, np.inf):
        bar = jump(penalty, step) if 1e-9 < step < 1e9 else 1.0
        x = np.concatenate([spread, np.array([bar, np.nextafter(bar, 0), np.nextafter(bar, 9e9)])]).astype(dtype)
        g = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), penalty)
        found = jax.grad(lambda x, t, g: g.prox(x, t).sum(), (0, 1, 2))(x, jnp.asarray(step, dtype), g)
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(found)), (step, found)
        assert np.isfinite(jax.grad(penalty.value)(x)).all()


@pytest.mark.parametrize("penalty", [g for g in EVEN if not g.convex], ids=repr)
def test_an_even_penalty_on_the_half_line_is_projected_first(penalty: jr.Penalty, x64):
    for step in STEPS:
        made = (penalty + jr.NonNegative()).prox(X, step)
        np.testing.assert_array_equal(made, penalty.prox(np.maximum(X, 0.0), step))


@pytest.mark.parametrize("other", [jr.Box(0.0, 1.0), jr.L1(), jr.L2(), jr.MCP()], ids=repr)
def test_a_nonconvex_penalty_has_no_other_sum(other: jr.Penalty):
    """Clipping is no prox: with a bound at 1, x = 1.9 and step 1.5, zero costs 1.805 and the bound 1.905."""
    with pytest.raises(TypeError, match="No exact prox is known"):
        (jr.L0() + other).prox(np.ones(3, "float32"), 1.0)
    with pytest.raises(TypeError, match="No exact prox is known"):
        (jr.L0().shift(1.0) + jr.NonNegative()).prox(np.ones(3, "float32"), 1.0)


@pytest.mark.parametrize("penalty", [jr.MCP(0.5, 3.0), jr.SCAD(0.5), 0.02 * jr.L0(), jr.MCP(0.5) + 0.01 * jr.Ridge()])
def test_nonconvex_fits_are_certified_by_their_residual(penalty: jr.Penalty, x64):
    data = regression()
    fit = jr.minimize(RISK, penalty, np.zeros(6), data, tol=1e-12)
    assert fit.status == jr.Status.CONVERGED and fit.gap <= 1e-12
    assert not fit.params[3:].any() and fit.params[:3].all()
    slope = jax.grad(lambda w: RISK(w, data) + penalty.value(w))(fit.params)
    np.testing.assert_allclose(slope[:3], 0.0, atol=1e-10)


@pytest.mark.parametrize("penalty", [jr.MCP(0.3, 3.0), jr.SCAD(0.3)], ids=repr)
def test_large_coefficients_are_not_shrunk(penalty: jr.Penalty, x64):
    """The fit is that of least squares on the true support (the oracle property)."""
    data = regression()
    fit = jr.minimize(RISK, penalty, np.zeros(6), data, tol=1e-12)
    oracle = np.linalg.lstsq(data[0][:, :3], data[1], rcond=None)[0]
    np.testing.assert_allclose(fit.params[:3], oracle, atol=1e-9)


def test_strengths_inside_are_leaves(x64):
    data = regression()
    strengths = np.geomspace(2.0, 0.1, 8)

    @jax.jit
    def coefficients(strength):
        return jr.minimize(RISK, jr.MCP(strength, 3.0), np.zeros(6), data, tol=1e-10).params

    batch = jax.vmap(coefficients)(strengths)
    for strength, params in zip(strengths, batch, strict=True):
        np.testing.assert_allclose(params, coefficients(strength), atol=1e-8)
    invalid = jax.jit(lambda s: jr.minimize(RISK, jr.MCP(s), np.zeros(6), data).status)(-1.0)
    assert invalid == jr.Status.INVALID_INPUT


OUT_OF_RANGE = (
    (jr.MCP(-1.0), "strength is -1.0"),
    (jr.MCP(np.array([1.0, np.nan])), "strength is"),
    (jr.MCP(1.0, 1.0), "gamma is 1.0"),
    (jr.SCAD(1.0, 2.0), "gamma is 2.0"),
    (jr.SCAD(-1.0), "strength is -1.0"),
    (jr.LogSum(0.0), "epsilon is 0.0"),
    (jr.SmoothL1(0.0), "delta is 0.0"),
    (jr.SmoothL1(np.inf), "delta is inf"),
    (jr.AsymmetricL1(1.0), "quantile is 1.0"),
)


@pytest.mark.parametrize(("penalty", "message"), OUT_OF_RANGE, ids=lambda v: repr(v))
def test_parameters_out_of_range(penalty: jr.Penalty, message: str):
    with pytest.raises(ValueError, match=message):
        jr.minimize(RISK, 0.5 * penalty, np.zeros(2, "float32"), (np.eye(2, dtype="float32"), np.ones(2, "float32")))


@pytest.mark.parametrize("penalty", [penalty for penalty, _ in OUT_OF_RANGE], ids=repr)
def test_inside_transformations_they_are_a_status(penalty: jr.Penalty):
    judged, x = jax.jit(valid), np.zeros(2, "float32")
    assert not judged(0.5 * penalty, x)
    assert judged(0.5 * type(penalty)(), x)


def test_a_traced_gamma_out_of_range_is_invalid_input():
    data = (np.eye(2, dtype="float32"), np.ones(2, "float32"))
    for made in (jr.SCAD, jr.GroupSCAD):
        fit = jax.jit(lambda gamma, made=made: jr.minimize(RISK, made(0.1, gamma=gamma), np.zeros(2), data).status)
        assert fit(1.5) == jr.Status.INVALID_INPUT and fit(3.0) == jr.Status.CONVERGED


def test_structure_out_of_range():
    for q in (0.4, 1.0, 0.0, np.nan):
        with pytest.raises(ValueError, match="expected 1/2 or 2/3"):
            jr.Lq(q)
    with pytest.raises(TypeError, match="strengths multiply"):
        jr.L1(0.1)
