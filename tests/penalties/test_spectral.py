"""Singular values and eigenvalues: identities, shapes, derivatives at equal values, and what sets hold."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxreg as jr

SETS = (jr.NuclearBall(2.0), jr.SpectralBall(0.8), jr.RankBall(2), jr.PSD())
SHRINKING = (jr.Nuclear(), jr.SpectralNorm(), jr.Rank(), jr.WeightedNuclear(np.array([0.0, 0.4, 1.5])))
EVERY = SHRINKING + SETS


def drawn(shape, dtype, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def form(penalty):
    return (4, 4) if isinstance(penalty, jr.PSD) else (3, 4)


def direct(penalty, x, step):
    """The prox of one matrix by NumPy's singular values, in float64."""
    u, s, vt = np.linalg.svd(np.asarray(x, float), full_matrices=False)
    if isinstance(penalty, jr.Nuclear):
        moved = np.maximum(s - step, 0)
    elif isinstance(penalty, jr.Rank):
        moved = s * (s**2 > 2 * step)
    elif isinstance(penalty, jr.RankBall):
        moved = s * (np.arange(s.size) < penalty.rank)
    elif isinstance(penalty, jr.SpectralBall):
        moved = np.minimum(s, penalty.radius)
    return (u * moved) @ vt


def test_on_diagonals_they_are_norms_of_vectors(dtype: np.dtype):
    x, rounding = np.array([3.0, -1.0, 2.5, 0.2], dtype), 16 * np.finfo(dtype).eps
    for step in (0.4, 2.0):
        sparse = jr.Nuclear().prox(jnp.diag(x), step)
        np.testing.assert_allclose(sparse, jnp.diag(jr.L1().prox(x, step)), atol=rounding)
        levels = np.linspace(0, 3, 300001)
        level = levels[np.argmin(step * levels + 0.5 * np.sum(np.maximum(np.abs(x)[:, None] - levels, 0) ** 2, 0))]
        capped = jr.SpectralNorm().prox(jnp.diag(x), step)
        np.testing.assert_allclose(capped, np.diag(np.clip(x, -level, level)), atol=2e-5)
    np.testing.assert_allclose(jr.SpectralNorm().value(jnp.diag(x)), 3.0, rtol=rounding)
    np.testing.assert_allclose(jr.SpectralNorm().dual(jnp.diag(x)), 6.7, rtol=rounding)


def test_equal_weights_are_the_nuclear_norm(dtype: np.dtype):
    x = drawn((3, 4), dtype)
    equal = jr.WeightedNuclear(np.full(3, 0.6))
    np.testing.assert_array_equal(equal.prox(x, 1.5), (0.6 * jr.Nuclear()).prox(x, 1.5))
    np.testing.assert_allclose(equal.value(x), (0.6 * jr.Nuclear()).value(x), rtol=1e-6)


@pytest.mark.parametrize("penalty", [jr.Nuclear(), jr.Rank(), jr.RankBall(2), jr.SpectralBall(1.3)], ids=repr)
def test_long_wide_and_stacked_matrices(penalty: jr.Penalty, dtype: np.dtype):
    rounding = 64 * np.finfo(dtype).eps
    for shape in ((3, 40), (40, 3), (2, 5, 3)):
        x = drawn(shape, dtype)
        z = penalty.prox(x, 2.0)
        for made, given in zip(np.reshape(z, (-1, *shape[-2:])), x.reshape(-1, *shape[-2:]), strict=True):
            np.testing.assert_allclose(made, direct(penalty, given, 2.0), atol=rounding * np.abs(given).max())


def test_small_singular_values_of_a_long_matrix_keep_their_digits(dtype: np.dtype):
    """A Gram matrix would lose those below the root of rounding."""
    rng, rounding = np.random.default_rng(0), np.finfo(dtype).eps
    u, v = np.linalg.qr(rng.normal(size=(40, 3)))[0], np.linalg.qr(rng.normal(size=(3, 3)))[0]
    s = np.array([1.0, 0.3, np.sqrt(rounding)])
    x = ((u * s) @ v.T).astype(dtype)
    np.testing.assert_allclose(jr.Nuclear().value(x) - 1.3, s[2], atol=16 * rounding)
    np.testing.assert_allclose(jr.Nuclear().prox(x, s[2] / 2), (u * (s - s[2] / 2)) @ v.T, atol=16 * rounding)


def test_rank_is_that_of_numpy(dtype: np.dtype):
    for rank in range(4):
        x = drawn((3, rank), dtype) @ drawn((rank, 4), dtype, 1)
        assert jr.Rank().value(x) == np.linalg.matrix_rank(x) == rank
        assert jr.RankBall(rank).value(x) == 0
        assert rank == 0 or np.isinf(jr.RankBall(rank - 1).value(x))


TIED = (
    (jr.Nuclear(), [2.0, 2.0, 0.5], 1.0),
    (jr.SpectralNorm(), [2.0, 2.0, 0.5], 1.0),
    (jr.SpectralNorm(), [3.0, 0.5, 0.5], 1.0),
    (jr.NuclearBall(2.0), [2.0, 2.0, 0.5], 1.0),
    (jr.SpectralBall(0.8), [2.0, 2.0, 0.5], 1.0),
    (jr.Rank(), [2.0, 2.0, 0.5], 1.0),
    (jr.RankBall(2), [2.0, 2.0, 0.5], 1.0),
    (jr.WeightedNuclear(np.array([0.3, 0.3, 0.9])), [2.0, 2.0, 1.5], 1.0),
    (jr.Nuclear(), [2.0, 0.0, 0.0], 1.0),
)


@pytest.mark.parametrize("size", [(3, 4), (8, 3)], ids=str)
@pytest.mark.parametrize(("penalty", "values", "step"), TIED, ids=lambda v: repr(v))
def test_derivatives_at_equal_singular_values(penalty: jr.Penalty, values: list, step: float, size: tuple, x64):
    rng = np.random.default_rng(0)
    u, v = (np.linalg.qr(rng.normal(size=(n, 3)))[0] for n in size)
    x, dx = (u * values) @ v.T, rng.normal(size=size)
    slope = jax.jvp(lambda z: penalty.prox(z, step), (x,), (dx,))[1]
    h = 1e-6
    expected = (penalty.prox(x + h * dx, step) - penalty.prox(x - h * dx, step)) / (2 * h)
    np.testing.assert_allclose(slope, expected, atol=2e-6)
    back = jax.vjp(lambda z: penalty.prox(z, step), x)[1](dx)[0]
    np.testing.assert_allclose(back, slope, atol=1e-10)  # the derivative of a spectral prox is symmetric


def test_derivatives_in_step_and_radius(x64):
    x, h = drawn((3, 4), "float64"), 1e-6
    for made in (
        lambda t: jr.Nuclear().prox(x, t),
        lambda t: jr.SpectralNorm().prox(x, t),
        lambda t: jr.NuclearBall(t).prox(x),
        lambda t: jr.SpectralBall(t).prox(x),
        lambda t: jr.WeightedNuclear(t * jnp.array([0.1, 0.4, 1.5])).prox(x, 0.5),
    ):
        expected = (made(0.7 + h) - made(0.7 - h)) / (2 * h)
        np.testing.assert_allclose(jax.jacfwd(made)(0.7), expected, atol=1e-7)


def test_derivatives_of_the_cone_at_equal_eigenvalues(x64):
    rng = np.random.default_rng(0)
    v = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    x, dx, h = (v * [2.0, 2.0, -1.0, -1.0]) @ v.T, rng.normal(size=(4, 4)), 1e-6
    slope = jax.jvp(jr.PSD().prox, (x,), (dx,))[1]
    expected = (jr.PSD().prox(x + h * dx) - jr.PSD().prox(x - h * dx)) / (2 * h)
    np.testing.assert_allclose(slope, expected, atol=2e-6)


def test_norms_have_a_zero_derivative_at_zero(dtype: np.dtype):
    for penalty in (jr.Nuclear(), jr.SpectralNorm()):
        np.testing.assert_array_equal(jax.grad(penalty.value)(jnp.zeros((3, 4), dtype)), 0.0)


@pytest.mark.parametrize("penalty", SETS, ids=repr)
def test_sets_hold_whatever_the_strength(penalty: jr.Penalty, dtype: np.dtype):
    x = drawn(form(penalty), dtype)
    inside = penalty.prox(x)
    assert np.isinf(penalty.value(x)) and penalty.value(inside) == 0
    np.testing.assert_array_equal(penalty.prox(inside), inside)
    np.testing.assert_array_equal((0.3 * penalty).prox(x, 7.0), inside)
    assert penalty.value(0 * x) == 0


def test_the_cone_holds_symmetric_matrices(dtype: np.dtype):
    z = np.asarray(jr.PSD().prox(drawn((2, 4, 4), dtype)))
    np.testing.assert_array_equal(z, np.swapaxes(z, -1, -2))
    skew = np.array([[1.0, 0.5], [0.0, 1.0]], dtype)
    assert np.isinf(jr.PSD().value(skew)) and np.isinf(jr.PSD().value(np.diag(skew[0] - 0.7)))
    np.testing.assert_array_equal(jr.PSD().prox(skew), [[1.0, 0.25], [0.25, 1.0]])


@pytest.mark.parametrize("penalty", EVERY, ids=repr)
def test_nan_in_is_nan_out(penalty: jr.Penalty, dtype: np.dtype):
    x = drawn(form(penalty), dtype)
    x[1, 1] = np.nan
    assert np.isnan(penalty.prox(x, 0.5)).all() and np.isnan(penalty.value(x))


@pytest.mark.parametrize("kind", [jnp.bfloat16, jnp.float16])
@pytest.mark.parametrize("penalty", EVERY, ids=repr)
def test_half_precision(penalty: jr.Penalty, kind):
    x = jnp.asarray(drawn(form(penalty), "float32"), kind)
    z, full = penalty.prox(x, 0.5), penalty.prox(x.astype(jnp.float32), 0.5)
    assert z.dtype == kind and penalty.value(x).dtype == jnp.float32
    np.testing.assert_allclose(z.astype(jnp.float32), full, atol=4 * float(jnp.finfo(kind).eps))
    if penalty.indicator:
        assert penalty.value(z) == 0


@pytest.mark.parametrize("size", [1e-9, 1e9])
@pytest.mark.parametrize("penalty", [jr.Nuclear(), jr.SpectralNorm(), jr.RankBall(2), jr.PSD()], ids=repr)
def test_positively_homogeneous_at_every_scale(penalty: jr.Penalty, size: float, dtype: np.dtype):
    x = drawn(form(penalty), dtype)
    one, scaled = penalty.prox(x, 0.5), penalty.prox(dtype.type(size) * x, 0.5 * size)
    np.testing.assert_allclose(scaled / size, one, atol=64 * np.finfo(dtype).eps)


@pytest.mark.parametrize("penalty", [*SHRINKING[:3], *SETS], ids=repr)
def test_empty_matrices(penalty: jr.Penalty, dtype: np.dtype):
    for shape in ((0, 0),) if isinstance(penalty, jr.PSD) else ((0, 4), (4, 0), (0, 3, 4)):
        x = np.zeros(shape, dtype)
        assert penalty.prox(x, 1.0).shape == shape and penalty.value(x) == 0
        assert jax.grad(penalty.value)(x).shape == shape


def test_radii_and_weights_are_leaves(dtype: np.dtype):
    x, radii = drawn((2, 3, 4), dtype), np.array([0.5, 2.0], dtype)
    for ball in (jr.NuclearBall, jr.SpectralBall):
        each = np.stack([ball(r).prox(m) for r, m in zip(radii, x, strict=True)])
        np.testing.assert_allclose(jax.vmap(lambda r, m, g=ball: g(r).prox(m))(radii, x), each, rtol=1e-5)
        np.testing.assert_allclose(ball(radii[:, None, None]).prox(x), each, rtol=1e-5)
        assert ball(radii[:, None, None]).value(np.asarray(each)) == 0
    weights = np.array([[0.0, 0.1, 0.2], [0.5, 0.5, 2.0]], dtype)
    many = jax.vmap(lambda w, m: jr.WeightedNuclear(w).prox(m, 1.0))(weights, x)
    for w, m, z in zip(weights, x, many, strict=True):
        np.testing.assert_allclose(z, jr.WeightedNuclear(w).prox(m, 1.0), atol=1e-6)


def test_an_infinite_strength_keeps_what_is_free(dtype: np.dtype):
    x = drawn((3, 4), dtype)
    kept = (np.inf * jr.WeightedNuclear(np.array([0.0, 1.0, 1.0]))).prox(x, 1.0)
    np.testing.assert_array_equal(kept, jr.RankBall(1).prox(x))
    np.testing.assert_array_equal((np.inf * jr.SpectralNorm()).prox(x, 1.0), np.zeros_like(x))
    np.testing.assert_array_equal((np.inf * jr.Rank()).prox(x, 1.0), np.zeros_like(x))


def test_what_is_out_of_range_is_named():
    for weights in ([1.0, 0.5, 0.2], [-1.0, 0.0, 1.0], [0.0, 1.0, np.inf], [0.0, 1.0, np.nan]):
        with pytest.raises(ValueError, match="do not decrease"):
            jr.WeightedNuclear(np.array(weights)).check()
    with pytest.raises(ValueError, match="3 singular values"):
        jr.WeightedNuclear(np.ones(2)).prox(np.ones((3, 4), "float32"), 1.0)
    for ball in (jr.NuclearBall, jr.SpectralBall):
        for radius in (-1.0, np.nan):
            with pytest.raises(ValueError, match="radius"):
                ball(radius).check()
    for rank in (-1, 1.5):
        with pytest.raises(ValueError, match="integer"):
            jr.RankBall(rank)
    for shape in ((3, 4), (3,)):
        with pytest.raises(ValueError, match="square"):
            jr.PSD().prox(np.ones(shape, "float32"))
    with pytest.raises(ValueError, match="matrices"):
        jr.Rank().value(np.ones(3, "float32"))
