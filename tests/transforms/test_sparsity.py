"""Reports and masks of what vanished."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxreg as jr


def network():
    rng = np.random.default_rng(0)
    conv, dense = rng.normal(size=(3, 3, 2, 4)), rng.normal(size=(6, 5))
    conv[..., [1, 3]] = 0
    dense[2], dense[0, 0] = 0, 0
    return {"conv": jnp.asarray(conv), "dense": jnp.asarray(dense), "intercept": jnp.zeros(4)}


def test_sparsity_counts_entries_and_units(x64):
    found = jr.sparsity(network())
    assert found["conv"].zeros == 36 and found["conv"].units == (0, 0, 0, 2)
    assert found["dense"].zeros == 6 and found["dense"].units == (1, 0) and found["dense"].share == 0.2
    assert found["intercept"].share == 1 and found.share == (36 + 6 + 4) / (72 + 30 + 4)
    assert "2 of 4" in str(found) and found.__rich__() == str(found)
    assert jr.sparsity({"a": jnp.zeros((0, 3))}).share == 0


def test_prune_removes_whole_filters_and_neurons(x64):
    penalty = 0.1 * jr.L2(axis=(0, 1, 2)).on("conv") + 0.1 * jr.L2(axis=1).on("dense")
    found = jr.prune(network(), penalty)
    assert found.shapes == {"conv": (3, 3, 2, 2), "dense": (5, 5), "intercept": (4,)}
    np.testing.assert_array_equal(found.masks["conv"][0, 0, 0], [True, False, True, False])
    np.testing.assert_array_equal(found.masks["dense"].all(1), np.arange(6) != 2)
    assert found.masks["intercept"].all()


def test_prune_by_entry_masks_alone(x64):
    found = jr.prune(network(), jr.L1().on("dense"))
    assert (~found.masks["dense"]).sum() == 6 and found.masks["conv"].all()

    class Whole(jr.Penalty):
        pass

    with pytest.raises(TypeError, match="couples whole trees"):
        jr.prune(network(), Whole())


def test_prune_says_which_groups_it_cannot_see():
    with pytest.raises(TypeError, match="are no axes of a leaf"):
        jr.prune({"w": np.array([1.0, 0.0, 0.0])}, jr.GroupL2([0, 1, 1]))
