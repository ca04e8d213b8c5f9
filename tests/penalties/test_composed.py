"""Penalties of a linear map and the splitting of penalties into blocks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxreg as jr

D = np.diff(np.eye(4), axis=0)


def test_value_is_that_of_the_map(dtype: np.dtype):
    x = np.random.default_rng(0).normal(size=(4, 3)).astype(dtype)
    for g in (jr.L1(), jr.L2(axis=0), jr.Ridge(), jr.Nuclear(), 0.3 * jr.L1() + jr.Ridge()):
        made = g.of(D)
        assert made.value(x).dtype == dtype
        np.testing.assert_allclose(made.value(x), g.value((D @ x).astype(dtype)), rtol=1e-5)
        np.testing.assert_allclose(g.of(D, axis=1).value(x.T), g.value((x.T @ D.T).astype(dtype)), rtol=1e-5)
        np.testing.assert_allclose(g.of(lambda v: v[1:] - v[:-1]).value(x), made.value(x), rtol=1e-5)


def test_strengths_shifts_and_places_stand_inside_or_outside(x64):
    x, b = np.array([1.0, 3.0, 3.0, 0.0]), np.array([0.0, 1.0, 0.0, 2.0])
    weights = np.array([1.0, 2.0, 0.5])
    expected = np.sum(weights * np.abs(D @ (x - b)))
    np.testing.assert_allclose((weights * jr.L1()).of(D).shift(b).value(x), expected)
    np.testing.assert_allclose((weights * jr.L1().of(D)).shift(b).value(x), expected)
    np.testing.assert_allclose((weights * jr.L1().of(D).shift(b)).value(x), expected)
    tree = {"coef": x, "intercept": np.ones(())}
    np.testing.assert_allclose(jr.L1().of(D).value(tree), 5.0)
    np.testing.assert_allclose(jr.L1().of(D).on("coef").value(tree), 5.0)
    outer = (weights * jr.L1().of(D)).shift(b).leaf_through(jnp.asarray(x))
    np.testing.assert_allclose(outer[1].leaf_value(outer[0]), expected)


def test_a_map_has_no_prox_and_names_the_solvers():
    x = np.ones(4, "float32")
    for g in (jr.L1().of(D), 0.5 * jr.L1().of(D), jr.L1().of(D).shift(1.0), jr.L1() + jr.L1().of(D)):
        with pytest.raises(TypeError, match="PDHG"):
            g.prox(x, 1.0)


def test_maps_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match="does not apply to axis 0"):
        jr.L1().of(np.eye(3)).value(np.ones(4, "float32"))
    with pytest.raises(ValueError, match="must be finite"):
        jr.L1().of(np.array([[np.nan]])).check()


def test_traits_and_repr(x64):
    g = 0.5 * jr.L1().of(D)
    assert g.composed and g.convex and not (g.gauge or g.elementwise or g.metric or g.dualisable)
    assert (jr.L1() + g).composed and not jr.L1().composed
    assert not (jr.Ridge() + g).dualisable
    made = eval(repr(g), {**vars(jr), "array": np.array})
    x = np.arange(4.0) ** 2
    assert repr(made) == repr(g) and made.value(x) == g.value(x)


def test_a_batch_of_maps_is_a_penalty(x64):
    maps, x = np.stack([D, 2 * D]), np.array([0.0, 1.0, 3.0, 3.0])
    values = jax.vmap(lambda K: jr.L1().of(K).value(x))(maps)
    np.testing.assert_allclose(values, [3.0, 6.0])


TREE = {"coef": np.ones((4, 3), "float32"), "intercept": np.ones(3, "float32")}
SPLITS = {
    "one": (jr.L1() + jr.Ridge(), [("L1() + Ridge()", None)]),
    "two": (jr.L1() + jr.Nuclear(), [("L1()", None), ("Nuclear()", None)]),
    "sets first": (jr.L2() + jr.Box(0, 1), [("Box(lower=0, upper=1)", None), ("L2()", None)]),
    "greedy": (
        jr.L1() + jr.L2(axis=1) + jr.L2(axis=0) + jr.NonNegative() + jr.Ridge(),
        [("NonNegative() + L1() + L2(axis=1) + Ridge()", None), ("L2(axis=0)", None)],
    ),
    "leaves": (
        jr.L1().on("coef") + jr.Nuclear().on("coef") + jr.L1().on("intercept"),
        [("L1()", "L1()"), ("Nuclear()", None)],
    ),
    "array ridge beside nuclear": (
        jr.Nuclear() + np.ones((4, 3)) * jr.Ridge(),
        [("Nuclear()", None), (repr(np.ones((4, 3)) * jr.Ridge()), None)],
    ),
    "maps": (
        jr.L1().of(jnp.flip) + jr.L1(),
        [("L1()", None), (repr(jr.L1().of(jnp.flip)), None)],
    ),
    "only a map": (jr.L1().of(jnp.flip), [(None, None), (repr(jr.L1().of(jnp.flip)), None)]),
}


@pytest.mark.parametrize("case", SPLITS)
def test_splits(case: str):
    """Blocks in order, each with a prox on the whole tree unless it looks through a map; together they are the sum."""
    penalty, expected = SPLITS[case]
    blocks = penalty.split(TREE)
    names = ("coef", "intercept")
    shown = [tuple(None if p is None else repr(p) for p in b.parts(names)) for b in blocks]
    assert shown == expected
    for block in blocks:
        if not block.composed:
            assert jax.tree.structure(block.prox(TREE, 0.5)) == jax.tree.structure(TREE)
    total = sum(float(b.value(TREE)) for b in blocks)
    np.testing.assert_allclose(total, penalty.value(TREE), rtol=1e-5)
    assert [b.composed for b in blocks] == ["map" in case and i == len(blocks) - 1 for i in range(len(blocks))]
