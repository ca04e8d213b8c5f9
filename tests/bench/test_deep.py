"""The deep benchmark: what is compared with what, and the small size runs."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench import deep
from bench.__main__ import main


def test_a_line_has_mean_and_deviation_over_seeds():
    found = deep.Result("toy", "hard", ("a", "b"), [[0.5, 1.0], [0.7, 1.0]], 1.5, 0.01, float("nan"), 2.0, 0)
    assert deep.cells(found)[2:] == ("a 0.600 ± 0.141, b 1.000 ± 0.000", "+1.50", "10.0", "-", "2.0")


def test_players_are_chosen_beside_the_baselines_and_unknown_cases_named(monkeypatch: pytest.MonkeyPatch):
    played = deep.Result("toy", "", ("a", "b"), [[0.5, 1.0]] * 2, 0.0, 0.01, 0.0, 0.0, 0)
    monkeypatch.setattr(deep, "play", lambda name, *rest: replace(played, player=name))
    names = [found.player for found in deep.compare(deep.load_digits_tasks(), deep.FULL, False, {"CGC", "UPGrad"})]
    assert names == ["single task", "hard sharing", "CGC", "hard sharing, UPGrad"]
    assert len(deep.WEIGHTINGS) == 25 and not {"Equal", "Krum", "Weighting"} & set(deep.WEIGHTINGS)
    with pytest.raises(ValueError, match="no case cifar; there are digits, overlaid-digits, overlaid-mnist"):
        deep.cases(False, ["cifar"])


@pytest.mark.slow
def test_the_small_size_runs(tmp_path: Path):
    assert main(["deep", "--smoke", "--out", str(tmp_path)]) == 0
    kept = json.loads((tmp_path / "deep-smoke.json").read_text(encoding="utf-8"))["results"]
    assert [r["player"] for r in kept[:3]] == ["single task", "hard sharing", "CrossStitch"]
    assert kept[0]["delta_m"] == 0 and kept[1]["ratio"] == 1
    assert all(np.isfinite(r["step"]) and np.shape(r["accuracy"]) == (2, 2) for r in kept)
