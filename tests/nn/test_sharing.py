"""Architectures: who shares what, by gradients; the simpler ones as special cases of the richer."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxreg as jr
from jaxreg import _tree, nn

X = np.random.default_rng(0).normal(size=(4, 4, 4, 1)).astype("float32")
TRUNK = nn.conv_trunk((3, 2))
HEADS = nn.Stack(nn.dense(2), 3)
NETS = {
    kind.__name__: kind(TRUNK, HEADS)
    for kind in (
        nn.HardSharing,
        nn.Independent,
        nn.SoftSharing,
        nn.CrossStitch,
        nn.MMoE,
        nn.CGC,
        nn.PLE,
        nn.MTAN,
        nn.DSelectK,
        nn.LearnedBranching,
    )
}
OWN = ("heads", "own", "gates", "attention", "picks")


@cache
def rows(name: str):
    """Parameters, predictions, and the gradient of every task's loss, a leading task axis on every leaf."""
    net = NETS[name]

    @jax.jit
    def run(key):
        params = net.init(key, X)
        losses = lambda p: jnp.mean(net.apply(p, X, key) ** 2, (1, 2))  # noqa: E731
        return params, net.apply(params, X), jax.jacrev(losses)(params)

    return run(jax.random.key(0))


@pytest.mark.parametrize("name", NETS)
def test_predictions_have_a_task_axis_and_parameters_their_names(name: str):
    params, predictions, _ = rows(name)
    assert predictions.shape == (3, 4, 2) and bool(jnp.all(jnp.isfinite(predictions)))
    assert set(params) <= {"trunk", *OWN} and any(leaf.startswith("heads/") for leaf in _tree.names(params))


@pytest.mark.parametrize("name", NETS)
def test_a_task_moves_only_its_own_entries_outside_the_trunk(name: str):
    _, _, jacobian = rows(name)
    for part in set(jacobian) & set(OWN):
        for leaf in jax.tree.leaves(jacobian[part]):
            for t in range(3):
                others = np.delete(np.asarray(leaf[t]), t, 0)
                assert not others.any()
    assert all(np.abs(leaf[t, t]).max() > 0 for leaf in jax.tree.leaves(jacobian["heads"]) for t in range(3))


@pytest.mark.parametrize("name", [n for n in NETS if n not in ("Independent", "SoftSharing", "PLE")])
def test_every_task_reaches_the_trunk(name: str):
    _, _, jacobian = rows(name)
    # Summed over copies: with drawn branches or gates a single copy may be out of a task's reach.
    sizes = [np.abs(np.asarray(leaf)).reshape(3, -1).sum(1) for leaf in jax.tree.leaves(jacobian["trunk"])]
    assert np.sum(sizes, 0).min() > 0


def test_other_tasks_reach_own_experts_of_all_levels_but_the_last():
    _, _, jacobian = rows("PLE")
    assert set(jacobian["trunk"]["1"]) == {"shared"} and set(jacobian) == {"trunk", "own", "gates", "heads"}
    sizes = sum(
        np.abs(np.asarray(leaf)).reshape(3, 3, -1).sum(-1) for leaf in jax.tree.leaves(jacobian["trunk"]["0"]["own"])
    )
    assert sizes.min() > 0


@pytest.mark.parametrize("name", ["Independent", "SoftSharing"])
def test_own_trunks_do_not_see_other_tasks(name: str):
    for leaf in jax.tree.leaves(rows(name)[2]["trunk"]):
        assert not any(np.delete(np.asarray(leaf[t]), t, 0).any() for t in range(3))


def apply(net, params):
    return np.asarray(jax.jit(net.apply)(params, X))


def begin(net):
    return jax.jit(net.init)(jax.random.key(1), X)


def test_special_cases_are_the_simpler_architectures():
    hard, alone = rows("HardSharing")[0], rows("Independent")[0]
    wide = lambda tree: jax.tree.map(lambda a: a[None], tree)  # noqa: E731
    one_expert = {**begin(nn.MMoE(TRUNK, HEADS, experts=1)), **hard}
    one_expert["trunk"] = wide(hard["trunk"])
    np.testing.assert_allclose(
        apply(nn.MMoE(TRUNK, HEADS, experts=1), one_expert), apply(NETS["HardSharing"], hard), rtol=1e-5, atol=1e-6
    )
    reference = apply(NETS["Independent"], alone)
    stitched = nn.CrossStitch(TRUNK, HEADS, own=1.0)
    params = begin(stitched)
    params["trunk"]["stages"], params["heads"] = alone["trunk"], alone["heads"]
    np.testing.assert_allclose(apply(stitched, params), reference, rtol=1e-5, atol=1e-6)
    private = nn.CGC(TRUNK, HEADS, shared=0, own=1)
    params = begin(private)
    params["own"], params["heads"] = jax.tree.map(lambda a: a[:, None], alone["trunk"]), alone["heads"]
    np.testing.assert_allclose(apply(private, params), reference, rtol=1e-5, atol=1e-6)
    rich = rows("CGC")[0]
    one_level = nn.PLE(TRUNK.stages[0], HEADS, shared=2)
    params = begin(nn.CGC(TRUNK.stages[0], HEADS))
    np.testing.assert_allclose(
        apply(one_level, {**params, "trunk": {"0": {"shared": params["trunk"]}}}),
        apply(nn.CGC(TRUNK.stages[0], HEADS), params),
        rtol=1e-5,
        atol=1e-6,
    )
    assert set(rich) == {"trunk", "own", "gates", "heads"}


def test_soft_sharing_starts_alike_and_its_penalty_sees_the_task_axis():
    net, params = NETS["SoftSharing"], rows("SoftSharing")[0]
    assert net.placed.value(params) < 1e-12
    moved = {**params, "trunk": jax.tree.map(lambda a: a.at[0].add(1.0), params["trunk"])}
    entries = sum(leaf[0].size for leaf in jax.tree.leaves(params["trunk"]))
    np.testing.assert_allclose(net.placed.value(moved), entries / 3, rtol=1e-5)  # ½ (4/9 + 1/9 + 1/9) each


def test_gates_are_distributions_and_codes_become_sparse():
    x = jnp.asarray(X)
    for name in ("MMoE", "CGC"):
        np.testing.assert_allclose(NETS[name].gates(rows(name)[0], x).sum(-1), 1, rtol=1e-5)
    net, params = NETS["DSelectK"], rows("DSelectK")[0]
    np.testing.assert_allclose(net.gates(params).sum(-1), 1, rtol=1e-5)
    far = {**params, "gates": {**params["gates"], "codes": 2 * jnp.sign(params["gates"]["codes"])}}
    assert int((net.gates(far) > 0).sum(-1).max()) <= 2 and float(net.entropy(far)) == 0 < float(net.entropy(params))
    grads = jax.grad(net.entropy)(far)
    assert bool(_tree.all_finite(grads))


def test_branching_without_a_key_is_a_tree_and_a_low_temperature_draws_one():
    net, params = NETS["LearnedBranching"], rows("LearnedBranching")[0]
    picks = jnp.array([[9.0, 0.0], [0.0, 9.0], [0.0, 9.0]])
    params = {**params, "picks": picks, "heads": jax.tree.map(lambda a: a[:1].repeat(3, 0), params["heads"])}
    tree = apply(net, params)
    assert [b.tolist() for b in net.branches(params)] == [[0, 0], [0, 1, 1]]
    np.testing.assert_array_equal(tree[1], tree[2])
    assert np.abs(tree[0] - tree[1]).max() > 1e-6
    cold = net.apply(params, X, jax.random.key(3), temperature=1e-3)
    again = net.apply(params, X, jax.random.key(3), temperature=1e-3)
    np.testing.assert_array_equal(cold, again)
    features = jnp.eye(2)
    drawn = jnp.stack(
        [nn.sharing.branching.draw(jnp.zeros((1, 2)), features, jax.random.key(i), 1e-3)[0] for i in range(8)]
    )
    assert np.isin(np.round(drawn, 3), [0, 1]).all() and len(np.unique(np.round(drawn, 3), axis=0)) == 2


def test_heads_of_different_kinds_keep_their_order():
    heads = {"zeta": nn.dense(), "alpha": nn.dense(3)}
    net = nn.HardSharing(nn.mlp((3,)), heads)
    params = net.init(jax.random.key(0), X)
    assert {t: z.shape for t, z in net.apply(params, X).items()} == {"zeta": (4,), "alpha": (4, 3)}
    assert list(net.apply(params, X)) == ["zeta", "alpha"] == list(nn.sharing.task_names(heads))


def test_group_lasso_by_glob_zeroes_whole_filters():
    params = rows("HardSharing")[0]
    penalty = jr.L2(axis=(0, 1, 2)).on("trunk/0/kernel")
    norms = jnp.linalg.norm(params["trunk"]["0"]["kernel"].reshape(-1, 3), axis=0)
    cut = penalty.prox(params, float(jnp.sort(norms)[1]) * 1.001)
    gone = np.asarray(cut["trunk"]["0"]["kernel"] == 0)
    assert gone.all((0, 1, 2)).sum() == 2 and gone.any((0, 1, 2)).sum() == 2
    np.testing.assert_array_equal(cut["heads"]["kernel"], params["heads"]["kernel"])
    for name in ("HardSharing", "MMoE", "CrossStitch", "PLE"):
        assert float(jr.L1().on("trunk/*/kernel").value(rows(name)[0])) > 0


@pytest.mark.parametrize(
    ("heads", "error", "said"),
    [(nn.dense(2), TypeError, "expected Stack"), ({}, ValueError, "empty"), ([nn.dense(2)], TypeError, "list")],
)
def test_bad_heads_are_refused(heads, error, said):
    with pytest.raises(error, match=said):
        nn.HardSharing(TRUNK, heads)


def test_bad_counts_are_refused():
    for make, said in (
        (lambda: nn.DSelectK(TRUNK, HEADS, experts=3), "power of 2"),
        (lambda: nn.CGC(TRUNK, HEADS, own=0), "own is 0"),
        (lambda: nn.Stack(nn.dense(), 0), "at least 1"),
        (lambda: nn.Chain(()), "no stages"),
        (lambda: nn.conv_trunk((2, 2, 2, 2)).init(jax.random.key(0), X), "smaller than the pooling"),
    ):
        with pytest.raises(ValueError, match=said):
            make()
