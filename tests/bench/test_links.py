"""The benchmark of the links: what is compared with what, and the small size runs."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest

from bench import balance, links, turns
from bench.__main__ import main


def test_ratios_are_to_the_first_player():
    calls = {"a": 0, "b": 0}

    def player(name):
        def call():
            calls[name] += 1
            return np.zeros(1)

        return name, call

    found = turns.race("part", "case", [player("a"), player("b")], 4)
    assert calls == {"a": 5, "b": 5} and found[0].ratio == 1 and found[1].ratio == found[1].median / found[0].median
    line = ("p", "c", "n", "1.50", "2", "1", "2.00")
    assert turns.cells(turns.Timing("p", "c", "n", 1.5, 0.002, 0.001, 2.0)) == (*line, "-", "-")
    assert turns.cells(turns.Timing("p", "c", "n", 1.5, 0.002, 0.001, 2.0, 3e-9, 1.5)) == (*line, "3e-09", "1.50")


def test_networks_have_the_sizes_told_and_the_links_their_optimiser():
    for widths, low, high in ((links.FULL.layers, 1e7, 1.1e7), (links.FULL.trunk, 0.88e6, 0.92e6)):
        shapes = jax.eval_shape(lambda widths=widths: turns.network(widths))
        assert low < sum(x.size for x in jax.tree.leaves(shapes)) < high
    assert [(kind, name) for kind, name, _ in links.links()][::3] == [("sgd", "bare"), ("adam", "bare")]


@pytest.mark.parametrize("name", ["UPGrad", "DualProj"])
def test_exact_weights_meet_their_conditions_and_ours_are_they(name: str, x64):
    J = np.random.default_rng(0).normal(size=(5, 7)) - 0.4
    right = balance.exact(name, J)
    assert right is not None and (right >= 1 - 1e-12).all() and (J @ J.T @ right).min() > -1e-9
    assert balance._error(np.asarray(balance._ours(name, J)()), right) < 1e-9
    assert balance._error(right + 0.01 * np.arange(5), right) > 1e-4
    assert balance.exact("MGDA", J) is None


@pytest.mark.filterwarnings("ignore")
def test_players_of_a_gradient_compute_the_same():
    pytest.importorskip("torchjd")
    problem = balance.problem_of(3, (8, 16, 12))
    ours = {name: jax.jit(step)(*problem) for name, step in balance.steps().items()}
    theirs = {name: call() for name, call in balance.torch_steps(*problem)}

    def flat(grads) -> np.ndarray:
        return np.concatenate([np.ravel(g) for g in grads])

    def in_order(grads) -> list:
        return [grads["trunk"][i][part] for i in "01" for part in ("kernel", "bias")] + [grads["heads"]]

    plain, balanced = (flat(in_order(ours[name])) for name in ("plain sum", "weighted_gradient, UPGrad"))
    np.testing.assert_allclose(flat(theirs["torch, plain sum"]), plain, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(flat(in_order(ours["weighted_gradient, Equal"])), plain, rtol=1e-3, atol=1e-5)
    by_rows = ours["task_jacobian + aggregate, UPGrad"]
    np.testing.assert_allclose(flat(in_order(by_rows)), balanced, rtol=1e-3, atol=1e-5)
    trunk = flat(theirs["torchjd, UPGrad"][:4]) * 3
    np.testing.assert_allclose(trunk, balanced[: len(trunk)], rtol=1e-2, atol=1e-3)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of torch, where it is installed
def test_the_small_size_runs(tmp_path: Path):
    assert main(["links", "--smoke", "--repeats", "2", "--out", str(tmp_path)]) == 0
    kept = json.loads((tmp_path / "links-smoke.json").read_text(encoding="utf-8"))["results"]
    assert {r["part"] for r in kept} == {"jr.proximal", "weighting", "gradient"}
    assert len([r for r in kept if r["part"] == "jr.proximal"]) == 6
    assert all(r["median"] > 0 and r["ratio"] > 0 for r in kept)
    ours = [r for r in kept if r["part"] == "weighting" and r["player"] == "jaxreg"]
    assert len(ours) == 2 and all(r["error"] < 1e-9 for r in ours)
    held = [r["memory"] for r in kept if r["part"] == "gradient" and "torch" not in r["player"]]
    assert len(held) == 5 and held[0] == 1 and min(held) > 0
