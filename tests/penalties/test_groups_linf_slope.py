"""What LInf, SLOPE, Exclusive and KSupport are in special cases, their derivatives at ties, and what they refuse."""

import itertools

import jax
import numpy as np
import pytest

import jaxreg as jr

STEPS = (0.0, 0.3, 2.0, 50.0)
ONES = np.ones(6)
SAME = [
    (jr.LInf(axis=()), jr.L1()),
    (jr.SLOPE(0.7 * ONES), 0.7 * jr.L1()),
    (jr.SLOPE(0.7 * np.eye(6)[0]), 0.7 * jr.LInf()),
    (jr.SLOPE.oscar(0.8, 0.0, 6), 0.8 * jr.L1()),
    (jr.KSupport(1), jr.Exclusive()),
    (jr.KSupport(6), jr.Ridge()),
    (jr.KSupport(9), jr.Ridge()),
    (jr.Exclusive(axis=()), jr.Ridge()),
]


@pytest.mark.parametrize(("one", "other"), SAME, ids=repr)
def test_special_cases_agree(one: jr.Penalty, other: jr.Penalty, x64):
    for x in (np.random.default_rng(0).normal(size=6), np.array([1.0, -1.0, 1.0, 0.5, -0.5, 2.0])):
        np.testing.assert_allclose(one.value(x), other.value(x), rtol=1e-14)
        np.testing.assert_allclose(one.conjugate(0.1 * x), other.conjugate(0.1 * x), rtol=1e-14)
        np.testing.assert_allclose(jax.grad(one.value)(x), jax.grad(other.value)(x), rtol=1e-14)
        for step in STEPS:
            np.testing.assert_allclose(one.prox(x, step), other.prox(x, step), rtol=1e-13, atol=1e-15)


def test_the_square_of_the_l1_norm(x64):
    x = np.random.default_rng(0).normal(size=(3, 4))
    np.testing.assert_allclose(jr.Exclusive().value(x), 0.5 * np.abs(x).sum() ** 2)
    np.testing.assert_allclose(jr.Exclusive(axis=0).value(x), 0.5 * (np.abs(x).sum(0) ** 2).sum())


@pytest.mark.parametrize("axis", [0, 1, (0, 2), None])
@pytest.mark.parametrize("kind", [jr.LInf, jr.Exclusive])
def test_groups_are_independent(kind, axis, x64):
    """Every group is moved as an array of its own."""
    x = np.random.default_rng(0).normal(size=(2, 3, 2))
    axes = (0, 1, 2) if axis is None else np.atleast_1d(axis)
    moved = np.asarray(kind(axis).prox(x, 0.8))
    rest = [range(n) if i not in axes else [slice(None)] for i, n in enumerate(x.shape)]
    for where in itertools.product(*rest):
        np.testing.assert_allclose(moved[where], kind().prox(x[where], 0.8), rtol=1e-13)


def test_k_support_is_the_conjugate_of_the_k_largest_squares(x64):
    """½(‖x‖ₖˢᵖ)² by Proposition 2.1 of Argyriou et al., its r found by trying all."""
    rng = np.random.default_rng(0)
    for k, _ in itertools.product(range(1, 6), range(5)):
        x = rng.normal(size=6) * 10 ** rng.uniform(-1, 1, 6)
        a = np.concatenate([[np.inf], -np.sort(-np.abs(x))])
        found = [r for r in range(k) if a[k - r - 1] > a[k - r :].sum() / (r + 1) >= a[k - r]]
        assert len(found) == 1
        tail = k - found[0]
        expected = 0.5 * ((a[1:tail] ** 2).sum() + a[tail:].sum() ** 2 / (found[0] + 1))
        np.testing.assert_allclose(jr.KSupport(k).value(x), expected, rtol=1e-13)


def test_oscar_is_a_sum_over_pairs(x64):
    x = np.array([1.0, -3.0, 2.0, 0.5])
    pairs = sum(max(abs(a), abs(b)) for a, b in itertools.combinations(x, 2))
    np.testing.assert_allclose(jr.SLOPE.oscar(0.3, 0.2, 4).value(x), 0.3 * np.abs(x).sum() + 0.2 * pairs)


DERIVED = (
    jr.LInf(),
    jr.SLOPE(np.array([2.0, 1.5, 1.5, 0.5, 0.2, 0.0])),
    jr.Exclusive(),
    jr.KSupport(1),
    jr.KSupport(3),
)


@pytest.mark.parametrize("penalty", DERIVED, ids=repr)
def test_derivatives_are_differences(penalty: jr.Penalty, x64):
    for seed, step in itertools.product(range(4), (0.1, 0.7)):
        x, h = np.random.default_rng(seed).normal(size=6), 1e-6
        slopes, pull = jax.jacobian(penalty.prox, (0, 1))(x, step)
        for i, e in enumerate(h * np.eye(6)):
            moved = (np.asarray(penalty.prox(x + e, step)) - np.asarray(penalty.prox(x - e, step))) / (2 * h)
            np.testing.assert_allclose(slopes[:, i], moved, atol=1e-8)
        moved = (np.asarray(penalty.prox(x, step + h)) - np.asarray(penalty.prox(x, step - h))) / (2 * h)
        np.testing.assert_allclose(pull, moved, atol=1e-8)


def test_derivatives_at_ties(x64):
    """Entries of one size: apart where the weights are equal, together where they differ."""
    x = np.array([2.0, -2.0, 0.1])
    apart = jax.jacobian(jr.SLOPE(np.full(3, 0.5)).prox)(x, 1.0)
    np.testing.assert_allclose(apart, np.diag([1.0, 1.0, 0.0]))
    together = [[0.5, -0.5, 0.0], [-0.5, 0.5, 0.0], [0.0, 0.0, 0.0]]
    np.testing.assert_allclose(jax.jacobian(jr.SLOPE(np.array([0.7, 0.5, 0.2])).prox)(x, 1.0), together, atol=1e-15)
    np.testing.assert_allclose(jax.jacobian(jr.LInf().prox)(x, 1.0)[:2], together[:2], atol=1e-15)


@pytest.mark.parametrize("penalty", [jr.LInf(), jr.SLOPE(ONES / 2), jr.Exclusive(), jr.KSupport(2)], ids=repr)
def test_steps_at_their_ends(penalty: jr.Penalty, dtype: np.dtype):
    for x in (np.random.default_rng(0).normal(size=6).astype(dtype), np.array([1, -1, 1, 1, 0, 0.3], dtype)):
        np.testing.assert_array_equal(penalty.prox(x, 0.0), x)
        np.testing.assert_array_equal(penalty.prox(x, np.inf), 0 * x)
    x = np.array([1, -1, 1, 1, 0.5, 0.3], dtype)
    np.testing.assert_allclose(jax.jacobian(penalty.prox)(x, 0.0), np.eye(6), atol=1e-6)


def test_k_support_shares_ties_at_large_steps():
    """Four equal entries have η = 1/2 each, whatever the step."""
    step = np.float32(1e6)
    moved = np.asarray(jr.KSupport(2).prox(np.ones(4, "float32"), step))
    np.testing.assert_allclose(moved, 0.5 / (0.5 + step), rtol=1e-6)


def test_weights_that_all_vanish_leave_everything(x64):
    x, free = np.array([3.0, -2.0]), jr.SLOPE(np.zeros(2))
    np.testing.assert_array_equal(free.prox(x, np.inf), x)
    assert np.isinf(free.dual(x)) and free.dual(0 * x) == 0 and free.leaf_floor() == 0


def test_strengths_of_groups_bear_a_certificate(x64):
    """The conjugate of s g is s g*(u/s) group by group; a group of strength 0 must not move."""
    u, s = np.array([[1.0, 2.0, 0.0], [3.0, -1.0, 0.0]]), np.array([0.5, 2.0, 0.0])
    np.testing.assert_allclose((s * jr.Exclusive(axis=0)).conjugate(u), 0.5 * (9 / 0.5 + 4 / 2.0))
    assert np.isinf((s[::-1] * jr.Exclusive(axis=0)).conjugate(u))


def test_what_is_refused():
    data = (np.ones((3, 2), "float32"), np.ones(3, "float32"))
    risk = jr.risk(jr.linear, jr.Squared())
    for weights in ([1.0, 2.0], [1.0, -1.0], [np.inf, 1.0], [np.nan, 1.0]):
        with pytest.raises(ValueError, match="do not increase"):
            jr.minimize(risk, jr.SLOPE(np.array(weights)), np.zeros(2, "float32"), data)
    with pytest.raises(ValueError, match="one weight for each entry"):
        jr.SLOPE(ONES).value(np.ones(3, "float32"))
    for k in (0, 1.5, True):
        with pytest.raises(ValueError, match="integer >= 1"):
            jr.KSupport(k)
    for penalty in (jr.LInf(), jr.SLOPE(ONES), jr.KSupport(2)):
        with pytest.raises(TypeError, match="diagonal metric"):
            penalty.prox(np.ones(6, "float32"), np.ones(6, "float32"))
