"""Edge cases of values and proxes, and the errors that the calculus raises."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxreg as jr
import zoo

ELEMENTWISE = [m for m in zoo.PENALTIES if m.penalty.elementwise and not isinstance(m.form, dict)]
SHRINKING = (jr.L1(), jr.Ridge(), jr.L2(), jr.L2(axis=0), jr.Nuclear())


@pytest.mark.parametrize("penalty", SHRINKING, ids=repr)
def test_strength_and_step_at_their_ends(penalty: jr.Penalty, dtype: np.dtype):
    x = np.random.default_rng(0).normal(size=(3, 4)).astype(dtype)
    np.testing.assert_array_equal((0.0 * penalty).prox(x, 1.0), x)
    np.testing.assert_array_equal((np.inf * penalty).prox(x, 1.0), np.zeros_like(x))
    np.testing.assert_array_equal(penalty.prox(x, np.inf), np.zeros_like(x))
    assert (0.0 * penalty).value(x) == 0 and np.isinf((np.inf * penalty).value(x))
    assert (np.inf * penalty).value(0 * x) == 0
    np.testing.assert_array_equal((np.inf * penalty).prox(x, 0.0), x)


def test_an_infinite_tomean_gives_one_vector(dtype: np.dtype):
    x = np.random.default_rng(0).normal(size=(3, 4)).astype(dtype)
    one = (np.inf * jr.ToMean()).prox(x, 1.0)
    np.testing.assert_allclose(one, np.broadcast_to(x.mean(0), x.shape), rtol=1e-6)


@pytest.mark.parametrize("member", ELEMENTWISE, ids=zoo.ids(ELEMENTWISE))
def test_nan_stays_where_it_is(member: zoo.Member, dtype: np.dtype):
    x = np.ones(member.form, dtype)
    bad = x.copy()
    bad.flat[1] = np.nan
    clean, spoiled = (np.asarray(member.penalty.prox(v, 0.5)).ravel() for v in (x, bad))
    assert np.isnan(spoiled[1])
    np.testing.assert_array_equal(np.delete(spoiled, 1), np.delete(clean, 1))


@pytest.mark.parametrize("penalty", [jr.L1(), jr.Ridge(), jr.L2(), jr.L2(axis=0)], ids=repr)
def test_extreme_sizes(penalty: jr.Penalty, dtype: np.dtype):
    info = np.finfo(dtype)
    for size in (float(info.max) / 4, float(info.tiny), float(info.smallest_subnormal)):
        moved = penalty.prox(np.full((2, 2), size, dtype), 1e-3)
        assert np.isfinite(moved).all() and (np.abs(moved) <= size).all()
    infinite = penalty.prox(np.array([[np.inf, 1.0]], dtype), 1.0)
    assert not np.isfinite(np.asarray(infinite)[0, 0])


def test_a_batch_of_penalties_is_a_penalty(dtype: np.dtype):
    strengths = np.array([0.0, 0.1, 1.0, np.inf], dtype)
    x = np.arange(1, 4, dtype=dtype)
    move = jax.jit(lambda g: g.prox(x, 0.7))
    batch = jax.vmap(lambda s: s * jr.L2() + 0.5 * jr.Ridge())(strengths)
    moved = jax.vmap(move)(batch)
    for s, z in zip(strengths, moved, strict=True):
        np.testing.assert_allclose(z, move(s * jr.L2() + 0.5 * jr.Ridge()), rtol=1e-6)


def test_arrays_of_every_make_multiply_to_a_penalty(x64):
    for strength in (np.array([1.0, 2.0]), np.float64(2), jnp.array([1.0, 2.0]), 3, True):
        for made in (strength * jr.L1(), jr.L1() * strength):
            assert isinstance(made, jr.Penalty)
            np.testing.assert_allclose(made.value(np.ones(2)), np.sum(strength * np.ones(2)))


def test_sums_by_sum(x64):
    x = np.array([3.0, -1.0])
    made = sum([jr.L1(), jr.Ridge(), 2.0 * jr.Ridge()])
    assert float(made.value(x)) == 4 + 5 + 10
    np.testing.assert_allclose(made.prox(x, 1.0), [0.5, 0.0])
    assert sum([jr.L1()]).value(x) == 4


def test_what_does_not_add_or_multiply():
    with pytest.raises(TypeError, match="adds to a penalty"):
        jr.L1() + 1.0
    with pytest.raises(TypeError, match="not by a penalty"):
        jr.L1() * jr.Ridge()


UNKNOWN = (
    (jr.L2(axis=0) + jr.L2(axis=1), ("L2(axis=0)", "L2(axis=1)")),
    (jr.Nuclear() + jr.L1(), ("Nuclear()", "L1()")),
    (0.5 * jr.ToMean() + jr.L2(axis=0), ("ToMean()", "L2(axis=0)")),
    (jr.L1() + jr.L1().shift(1.0), ("L1()", "shift(1.0)")),
    (jr.Box(0.0, 1.0) + jr.L2(), ("Box(lower=0.0, upper=1.0)", "L2()")),
)


@pytest.mark.parametrize(("penalty", "parts"), UNKNOWN, ids=lambda v: repr(v) if isinstance(v, jr.Penalty) else "")
def test_a_sum_without_a_theorem_names_its_parts(penalty: jr.Penalty, parts: tuple):
    with pytest.raises(TypeError, match="No exact prox is known") as error:
        penalty.prox(np.ones((3, 4), "float32"), 1.0)
    assert all(part in str(error.value) for part in parts)


def test_the_dual_of_what_is_left_alone_is_zero(dtype: np.dtype):
    dual = jr.L1().dual({"intercept": np.ones(2, dtype)})
    assert dual == 0 and dual.dtype == dtype


def test_an_infinite_entry_leaves_no_finite_one_in_a_ball(dtype: np.dtype):
    """The limit is unknown: NaN, while sets that know theirs give it."""
    x = np.array([np.inf, 1.0, -2.0], dtype)
    assert np.isnan(jr.L2Ball().prox(x)).all() and np.isnan(jr.L2Ball().prox(x, np.array([1.0, 2.0, 3.0], dtype))).all()
    for g, low, high in (
        (jr.NonNegative(), 0.0, np.inf),
        (jr.Box(-1, 2), -1.0, 2.0),
        (jr.L1(positive=True), 0, np.inf),
    ):
        assert g.prox(-x)[0] == low and g.prox(x)[0] == high
    # Never a finite wrong number: all of the mass goes to the infinite entry, or NaN.
    moved = np.asarray(jr.Simplex().prox(x))
    assert np.isnan(moved).all() or np.array_equal(moved, [1.0, 0.0, 0.0])


def test_nuclear_has_no_prox_in_a_metric():
    with pytest.raises(TypeError, match="diagonal metric"):
        jr.Nuclear().prox(np.ones((3, 4), "float32"), np.ones((3, 4), "float32"))
    with pytest.raises(ValueError, match="matrices"):
        jr.Nuclear().prox(np.ones(3, "float32"), 1.0)


def test_on_lists_the_leaves_when_it_matches_none():
    tree = {"head": {"kernel": np.ones(2, "float32")}, "bias": np.ones(2, "float32")}
    for act in (lambda g: g.value(tree), lambda g: g.prox(tree, 1.0)):
        with pytest.raises(ValueError, match="'bias', 'head/kernel'"):
            act(jr.L1().on("trunk/*"))


def test_on_takes_leaves_and_whole_branches(x64):
    tree = {"trunk": {"a": np.ones(2), "intercept": np.ones(1)}, "head": np.ones(3)}
    assert jr.L1().value(tree) == 5
    assert jr.L1().on("trunk").value(tree) == 3
    assert jr.L1().on("trunk/*").value(tree) == 3
    assert jr.L1().on("*/intercept").value(tree) == 1
    assert (jr.L1() + jr.Ridge()).on("head").value(tree) == 4.5


def test_strengths_out_of_range():
    data = (np.ones((3, 2), "float32"), np.ones(3, "float32"))
    risk = jr.risk(jr.linear, jr.Squared())
    for penalty in (-1.0 * jr.L1(), np.nan * jr.Ridge(), np.array([1.0, -0.1]) * jr.L1(), jr.Box(1.0, 0.0)):
        with pytest.raises(ValueError, match=r"strength is|is empty"):
            jr.minimize(risk, penalty, np.zeros(2, "float32"), data)


def test_a_strength_that_does_not_broadcast_is_explained():
    with pytest.raises(ValueError, match="per task as strength"):
        (np.ones(3) * jr.Ridge()).value(np.ones((3, 4), "float32"))


def test_a_shift_without_its_leaf_is_explained():
    tree = {"a": np.ones(2, "float32"), "b": np.ones(2, "float32")}
    with pytest.raises(ValueError, match=r"no leaf for \['b'\]"):
        jr.L1().shift({"a": np.ones(2, "float32")}).value(tree)


def test_a_strength_of_zero_has_a_derivative(x64):
    """Zero is an ordinary strength: turning a penalty on changes value and prox at a known rate."""
    x = np.array([3.0, -2.0])
    np.testing.assert_allclose(jax.grad(lambda s: (s * jr.L1()).value(x))(0.0), 5.0)
    np.testing.assert_allclose(jax.jacobian(lambda s: (s * jr.L1()).prox(x, 0.5))(0.0), [-0.5, 0.5])
    np.testing.assert_allclose(jax.jacobian(lambda s: (s * jr.Ridge()).prox(x, 0.5))(0.0), -0.5 * x)


def test_an_outer_strength_has_a_derivative_beside_infinity(x64):
    """Excluded entries stay excluded whatever the outer strength."""
    inner = np.array([1.0, np.inf]) * jr.L1()
    np.testing.assert_allclose(jax.jacobian(lambda s: (s * inner).prox(np.array([3.0, 2.0]), 1.0))(0.5), [-1, 0])


def test_outside_of_jit_a_loop_is_not_compiled_at_every_call():
    traces = []

    @jr.pytree
    class Counting(jr.Simplex):
        def leaf_prox(self, x, step):
            traces.append(x.shape)
            return super().leaf_prox(x, step)

    x = np.array([0.5, 2.0, -1.0], "float32")
    for radius in (1.0, 2.0, 0.5):
        moved = Counting(radius).prox(x, radius)
        np.testing.assert_allclose(np.sum(moved), radius, rtol=1e-6)
    assert traces == [(3,)]


def test_outside_of_jit_a_penalty_that_cannot_be_traced_works_too():
    class Host(jr.Leafwise):
        def leaf_prox(self, x, step):
            return np.sign(x) * max(float(np.max(np.abs(x))) - float(step), 0.0)

    assert Host().prox(np.array([3.0, -3.0], "float32"), 1.0).tolist() == [2.0, -2.0]
