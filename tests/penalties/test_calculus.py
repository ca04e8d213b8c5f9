"""Identities between penalties made by the calculus, and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxreg as jr

STEPS = (0.0, 0.3, 2.0, np.inf)
ROTATION = np.array([[0.6, 0.8, 0.0], [-0.8, 0.6, 0.0], [0.0, 0.0, 1.0]])


def same(one: jr.Penalty, other: jr.Penalty, dtype: np.dtype, steps: tuple = STEPS, units: float = 64) -> None:
    """Equality of values and proxes to rounding, at points of several sizes."""
    rng, eps = np.random.default_rng(0), np.finfo(dtype).eps
    for size in (0.0, 1e-9, 0.3, 1.0, 20.0, 1e9):
        x = (size * rng.normal(size=3)).astype(dtype)
        np.testing.assert_allclose(one.value(x), other.value(x), rtol=units * eps)
        for step in steps:
            slack = units * eps * max(size, 1e-30)
            np.testing.assert_allclose(one.prox(x, step), other.prox(x, step), rtol=0, atol=slack)


def test_the_conjugate_of_a_box_is_l1(dtype: np.dtype):
    same(jr.Conjugate(jr.Box(-1.0, 1.0)), jr.L1(), dtype, STEPS[:3])


def test_the_conjugate_of_l1_is_a_box(dtype: np.dtype):
    same(jr.Conjugate(jr.L1()), jr.Box(-1.0, 1.0), dtype)


def test_functions_that_are_least_at_zero_come_after_one_that_is_not(dtype: np.dtype):
    """The other way round the prox would cross zero, or leave the domain."""
    tilted, x = jr.Conjugate(jr.Box(0.2, 1.0)), np.array([0.1, -2.0], dtype)
    for g in (jr.L1() + tilted, tilted + jr.L1()):
        np.testing.assert_allclose(g.prox(x, 1.0), [0.0, -1.2], rtol=1e-6)
    for g in (jr.L1(positive=True) + tilted, tilted + jr.L1(positive=True)):
        assert np.array_equal(g.prox(x, 1.0), [0.0, 0.0])
    with pytest.raises(TypeError, match="No exact prox"):
        (tilted + tilted).prox(x, 1.0)


def test_the_conjugate_of_ridge_is_ridge(dtype: np.dtype):
    same(jr.Conjugate(jr.Ridge()), jr.Ridge(), dtype)


@pytest.mark.parametrize("g", [jr.L1(), 0.5 * jr.L2(), jr.Ridge(), 0.3 * jr.L1() + 2.0 * jr.Ridge()], ids=repr)
def test_the_conjugate_of_the_conjugate_is_the_penalty(g: jr.Penalty, dtype: np.dtype):
    same(jr.Conjugate(jr.Conjugate(g)), g, dtype, STEPS[:3], units=256)


def test_the_envelope_of_l1_is_huber(dtype: np.dtype):
    rng, m = np.random.default_rng(0), 0.5
    x = (2 * rng.normal(size=50)).astype(dtype)
    huber = np.where(np.abs(x) <= m, x**2 / (2 * m), np.abs(x) - m / 2)
    np.testing.assert_allclose(jr.Envelope(jr.L1(), m).value(x), huber.sum(), rtol=1e-6)
    step = 0.7
    expected = np.where(np.abs(x) <= step + m, x * m / (step + m), x - step * np.sign(x))
    np.testing.assert_allclose(jr.Envelope(jr.L1(), m).prox(x, step), expected, rtol=1e-5, atol=1e-6)


def test_the_envelope_of_a_set_is_half_the_squared_distance(dtype: np.dtype):
    box = jr.Box(-1.0, 0.5)
    same(jr.Envelope(box, 1.0), jr.SquaredDistance(box), dtype)


def test_the_envelope_of_ridge_is_a_weaker_ridge(dtype: np.dtype):
    same(jr.Envelope(3.0 * jr.Ridge(), 0.5), (3.0 / 2.5) * jr.Ridge(), dtype)


def test_the_elastic_net_is_l1_regularised(dtype: np.dtype):
    """prox_{t(g + ρ/2‖.‖²)}(x) = prox_{t/(1 + ρt) g}(x/(1 + ρt)), and its conjugate is the envelope of that of g."""
    x, rho, t = (2 * np.random.default_rng(0).normal(size=20)).astype(dtype), 0.7, 0.4
    net, units = 0.5 * jr.L1() + rho * jr.Ridge(), 64 * np.finfo(dtype).eps
    np.testing.assert_allclose(net.prox(x, t), (0.5 * jr.L1()).prox(x / (1 + rho * t), t / (1 + rho * t)), atol=units)
    envelope = jr.Envelope(jr.Conjugate(0.5 * jr.L1()), rho)
    np.testing.assert_allclose(net.conjugate(x), envelope.value(x), rtol=units)


def test_the_hessian_of_an_envelope(x64):
    g = jr.Envelope(jr.L1(), 0.5)
    hessian = jax.hessian(g.value)(jnp.array([3.0, 0.2, 0.0]))
    np.testing.assert_allclose(hessian, np.diag([0.0, 2.0, 2.0]), atol=1e-15)


def test_the_distance_to_zero_is_the_norm(dtype: np.dtype):
    same(jr.Distance(jr.Box(0.0, 0.0)), jr.L2(), dtype)


def test_a_set_is_kept_exactly(dtype: np.dtype):
    box, x = jr.Box(-1.0, 0.5), np.array([3.0, -0.7, 0.1], dtype)
    for g in (jr.Distance(box), jr.SquaredDistance(box)):
        assert np.array_equal(g.prox(x, np.inf), box.prox(x))
        inside = box.prox(x)
        assert g.value(inside) == 0 and np.array_equal(g.prox(inside, 0.7), inside)


def test_affine_arguments(dtype: np.dtype):
    same(jr.L1().affine(-2.0), 2.0 * jr.L1(), dtype)
    same(jr.Ridge().affine(np.array([1.0, 2.0, 0.5])), np.array([1.0, 4.0, 0.25]) * jr.Ridge(), dtype)
    same(jr.Box(-1.0, 0.5).affine(2.0), jr.Box(-0.5, 0.25), dtype)
    same(jr.L2().affine(3.0).affine(2.0), 6.0 * jr.L2(), dtype)
    same((jr.L1() + jr.Ridge()).affine(2.0), 2.0 * jr.L1() + 4.0 * jr.Ridge(), dtype)


def test_an_offset_is_a_shift(dtype: np.dtype):
    x = np.array([3.0, -0.7, 0.1], dtype)
    one, other = jr.L1().affine(1.0, 0.5), jr.L1().shift(-0.5)
    assert one.value(x) == other.value(x)
    np.testing.assert_allclose(one.prox(x, 0.3), other.prox(x, 0.3), rtol=1e-6)
    np.testing.assert_allclose(jr.L1().affine(2.0, 1.0).prox(x, 0.1), jr.L1().shift(-0.5).prox(x, 0.2), rtol=1e-6)


def test_a_scale_of_zero_leaves_an_entry_alone(dtype: np.dtype):
    x = np.array([3.0, -0.7, 0.1], dtype)
    g = jr.L1().affine(np.array([1.0, 0.0, 1.0]))
    np.testing.assert_allclose(g.prox(x, 1.0), [2.0, -0.7, 0.0], rtol=1e-6)
    assert np.isfinite(jax.jacobian(g.prox)(x, 1.0)).all()


def test_rotations(dtype: np.dtype):
    same(jr.L2().compose(ROTATION), jr.L2(), dtype, units=256)
    same(jr.Ridge().compose(2.0 * ROTATION), 4.0 * jr.Ridge(), dtype, units=256)
    same(jr.L1().compose(ROTATION).compose(ROTATION.T), jr.L1(), dtype, units=256)


def test_a_strength_of_zero_has_a_derivative_through_the_calculus(x64):
    """Turning a wrapped penalty on moves the prox at the rate of its gradient."""
    x = np.array([3.0, -2.0, 0.5])
    rates = (
        (jr.L1().affine(2.0), [-2.0, 2.0, -2.0]),
        (jr.Ridge().compose(ROTATION), -x),
        (jr.Conjugate(jr.Ridge()), -x),
        (jr.Envelope(jr.L1(), 1.0), [-1.0, 1.0, -0.5]),
        (jr.Distance(jr.Box(-10.0, 0.0)), [-3 / np.hypot(3, 0.5), 0.0, -0.5 / np.hypot(3, 0.5)]),
        (jr.SquaredDistance(jr.NonNegative()), [0.0, 2.0, 0.0]),
    )
    for g, rate in rates:
        found = jax.jacobian(lambda s, g=g: (s * g).prox(x, 1.0))(0.0)
        np.testing.assert_allclose(found, rate, rtol=1e-12, atol=1e-15, err_msg=repr(g))


def test_rotated_l1_derivative_at_zero_is_that_of_l1(x64):
    zero = np.zeros(3)
    moved = jax.jacobian((jr.L1().compose(ROTATION)).prox)(zero, 1.0)
    np.testing.assert_allclose(moved, np.zeros((3, 3)), atol=1e-15)


NARROW = (jnp.bfloat16, jnp.float16)


@pytest.mark.parametrize("half", NARROW, ids=["bfloat16", "float16"])
def test_half_precision_is_kept(half):
    x = jnp.array([3.0, -0.5, 0.25], half)
    made = (
        jr.Conjugate(jr.L1()),
        jr.Conjugate(jr.Ridge()),
        jr.Envelope(jr.L1(), 0.5),
        jr.Distance(jr.Box()),
        jr.SquaredDistance(jr.Box()),
        jr.L1().affine(2.0, 0.5),
        jr.L1().compose(ROTATION),
    )
    for g in made:
        z = g.prox(x, 0.5)
        assert z.dtype == half and np.isfinite(np.asarray(z, float)).all(), repr(g)
        full = g.prox(x.astype("float32"), 0.5)
        np.testing.assert_allclose(np.asarray(z, float), full, atol=0.04)


@pytest.mark.parametrize(
    ("g", "message"),
    [
        (jr.L1().affine(0.0), "scale is"),
        (jr.L1().affine(np.inf), "scale is"),
        (jr.L1().compose(np.array([[1.0, 1.0], [0.0, 1.0]])), "A Aᵀ = c I"),
        (jr.Envelope(jr.L1(), 0.0), "smoothing is"),
        (jr.Envelope(jr.L1(), -1.0), "smoothing is"),
        (jr.Distance(jr.Box(1.0, 0.0)), "is empty"),
        (jr.Conjugate(-1.0 * jr.L1()), "strength is"),
    ],
    ids=repr,
)
def test_leaves_out_of_range(g: jr.Penalty, message: str):
    with pytest.raises(ValueError, match=message):
        g.check()


@jr.pytree
class _Ridgeless(jr.Leafwise):
    """A penalty that is not convex."""

    convex = False

    def leaf_value(self, x):
        return -0.25 * jnp.sum(jnp.square(x))

    def leaf_prox(self, x, step):
        return x / (1 - 0.5 * step)


def test_what_the_calculus_refuses():
    x = np.ones((2, 3), "float32")
    for g in (jr.Conjugate(_Ridgeless()), jr.Envelope(_Ridgeless())):
        with pytest.raises(TypeError, match="convex penalty only"):
            g.prox(x, 1.0)
    for g in (jr.Distance(jr.L1()), jr.SquaredDistance(jr.L1())):
        with pytest.raises(TypeError, match="needs a convex set"):
            g.value(x)
    with pytest.raises(TypeError, match="diagonal metric"):
        jr.Nuclear().affine(x).prox(x, 1.0)
    with pytest.raises(TypeError, match="diagonal metric"):
        jr.L1().compose(ROTATION).prox(x, x)
    with pytest.raises(ValueError, match="needs a matrix"):
        jr.L1().compose(ROTATION).value(np.ones(4, "float32"))
    with pytest.raises(TypeError, match="states no conjugate"):
        jr.Conjugate(jr.Clustered()).value(x)
