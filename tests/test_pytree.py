"""Values as pytrees: classes stay apart, static fields are structure, reprs are expressions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxreg as jr


@jr.pytree
class Left:
    x: float = 1.0
    name: str = jr.static(default="a")


@jr.pytree
class Right:
    x: float = 1.0
    name: str = jr.static(default="a")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Left(), Right()),
        (Left(), Left(name="b")),
        (jr.L1(), jr.Ridge()),
        (2.0 * jr.L1(), 2.0 * jr.NonNegative()),
        (jr.Squared(), jr.Logistic()),
        (jr.L2(axis=0), jr.L2(axis=1)),
        (jr.L2(axis=0), jr.ToMean(axis=0)),
    ],
    ids=repr,
)
def test_structures_of_unlike_values_differ(one, other):
    """JAX's own dataclass registration calls them equal, and jit then runs one's program for the other."""
    assert jax.tree.structure(one) != jax.tree.structure(other)


def test_structures_of_like_values_agree():
    assert jax.tree.structure(Left(1.0)) == jax.tree.structure(Left(2.0))
    assert jax.tree.structure(0.5 * jr.L1()) == jax.tree.structure(np.float32(2) * jr.L1())


def test_jit_keeps_classes_apart():
    """Many fresh functions: a table that confuses two classes does so only now and then."""
    for _ in range(60):

        @jax.jit
        def prox(g, x):
            return g.leaf_prox(x, 1.0)

        x = jnp.float32(3.0)
        assert [float(prox(g, x)) for g in (jr.L1(), jr.Ridge(), jr.NonNegative())] == [2.0, 1.5, 3.0]


def test_leaves_have_names_and_come_back():
    tree = {"a": Left(jnp.ones(2), "b")}
    (path, _), *_ = jax.tree_util.tree_flatten_with_path(tree)[0]
    assert jax.tree_util.keystr(path, simple=True, separator="/") == "a/x"
    back = jax.tree.map(lambda x: 2 * x, tree)["a"]
    assert back.name == "b" and back.x.tolist() == [2, 2]


def test_values_are_frozen_and_shown():
    with pytest.raises(AttributeError):
        Left().x = 2.0
    assert repr(Left(np.float32(2), "b")) == "Left(x=2.0, name='b')"
    assert eval(repr(Left(np.ones(2))), {"Left": Left, "array": np.array}).x.tolist() == [1, 1]
    shown = []
    jax.eval_shape(lambda x: shown.append(repr(Left(x))), 1.0)
    assert shown == ["Left(x=<traced ~float32[]>)"]


def test_static_fields_at_their_default_are_not_shown():
    assert repr(Left(2.0)) == "Left(x=2.0)" and repr(jr.L1()) == "L1()" and repr(jr.L2()) == "L2()"
    assert repr(jr.L1(positive=True)) == "L1(positive=True)" and repr(jr.L2(axis=0)) == "L2(axis=0)"
