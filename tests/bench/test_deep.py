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
    assert list(deep.cases(True, None)) == ["digits"] and list(deep.cases(False, None)) == list(deep.CASES)
    with pytest.raises(ValueError, match="no case cifar; there are digits, overlaid-digits, overlaid-mnist; cifar by"):
        deep.cases(False, ["cifar"])
    with pytest.raises(ValueError, match=r"no case digits; there are cifar$"):
        deep.cases(False, ["digits"], Path("folder"))


def test_the_test_rows_of_the_source_are_those_of_the_split():
    rng, test = np.random.default_rng(0), np.arange(60) >= 50
    x = np.where(test, 1, 0.5)[:, None, None, None] * np.ones((60, 2, 2, 1), "float32")
    data = deep.ImageTasks("toy", x, {"a": rng.integers(0, 2, 60)}, {"a": 2}, test, "")
    for rows, sizes in ((60, [38, 12, 10]), (30, [19, 6, 5]), (10**6, [38, 12, 10])):
        split = deep.parted(data, rows)
        assert [len(part) for part in split] == sizes
        assert (split.test.x == 1).all() and (split.train.x < 1).all() and (split.validation.x < 1).all()
    assert [len(part) for part in deep.parted(replace(data, test=None), 20)] == [12, 4, 4]


@pytest.mark.slow
def test_cifar_runs_from_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    rng = np.random.default_rng(0)
    for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"):
        pixels = rng.integers(0, 256, (40, 3073), dtype=np.uint8)
        pixels[:, 0] = np.arange(40) % 10
        (tmp_path / f"{name}.bin").write_bytes(pixels.tobytes())
    words = ["deep", "--smoke", "--out", str(tmp_path), "--only", "UPGrad", "--cifar"]
    assert main([*words, str(tmp_path)]) == 0
    kept = json.loads((tmp_path / "deep-smoke.json").read_text(encoding="utf-8"))["results"]
    assert [r["player"] for r in kept] == ["single task", "hard sharing", "hard sharing, UPGrad"]
    assert all(r["problem"] == "cifar10" and r["tasks"] == ["class", "animal"] for r in kept)
    with pytest.raises(SystemExit):
        main([*words, str(tmp_path / "none")])
    assert "there is no folder" in capsys.readouterr().err


@pytest.mark.slow
def test_the_small_size_runs(tmp_path: Path):
    assert main(["deep", "--smoke", "--out", str(tmp_path)]) == 0
    kept = json.loads((tmp_path / "deep-smoke.json").read_text(encoding="utf-8"))["results"]
    assert [r["player"] for r in kept[:3]] == ["single task", "hard sharing", "CrossStitch"]
    assert kept[0]["delta_m"] == 0 and kept[1]["ratio"] == 1
    assert all(np.isfinite(r["step"]) and np.shape(r["accuracy"]) == (2, 2) for r in kept)
