"""The benchmark of the links: what is compared with what, and the small size runs."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest

from bench import links
from bench.__main__ import main


def test_ratios_are_to_the_first_player():
    calls = {"a": 0, "b": 0}

    def player(name):
        def call():
            calls[name] += 1
            return np.zeros(1)

        return name, call

    found = links.race("part", "case", [player("a"), player("b")], 4)
    assert calls == {"a": 5, "b": 5} and found[0].ratio == 1 and found[1].ratio == found[1].median / found[0].median
    assert links.cells(links.Timing("p", "c", "n", 1.5, 0.002, 0.001, 2.0)) == (
        *("p", "c", "n", "1.50", "2", "1", "2.00"),
    )


def test_the_large_network_has_ten_million_parameters_and_the_links_their_optimiser():
    shapes = jax.eval_shape(lambda: links.network(links.FULL.layers))
    assert 1e7 < sum(x.size for x in jax.tree.leaves(shapes)) < 1.1e7
    assert [(kind, name) for kind, name, _ in links.links()][::3] == [("sgd", "bare"), ("adam", "bare")]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of torch, where it is installed
def test_the_small_size_runs(tmp_path: Path):
    assert main(["links", "--smoke", "--repeats", "2", "--out", str(tmp_path)]) == 0
    kept = json.loads((tmp_path / "links-smoke.json").read_text(encoding="utf-8"))["results"]
    assert {r["part"] for r in kept} == {"jr.proximal", "weighting", "gradient"}
    assert len([r for r in kept if r["part"] == "jr.proximal"]) == 6
    assert all(r["median"] > 0 and r["ratio"] > 0 for r in kept)
