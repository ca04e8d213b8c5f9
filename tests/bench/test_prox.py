"""Answers are compared before anything is timed, wrong ones on either side are caught, and the small size runs."""

import json
from pathlib import Path

import numpy as np
import pytest

import jaxreg as jr
from bench import prox
from bench.__main__ import main
from bench.prox import Case
from bench.rivals import STEP, STRENGTH, Rival, rivals

LASSO = Case("L1", ("L1",), lambda shape: STRENGTH * jr.L1(), elementwise=True)


def soft(x: np.ndarray) -> np.ndarray:
    return np.sign(x) * np.maximum(np.abs(x) - STEP * STRENGTH, 0.0)


HONEST = Rival("honest", "1", False, {"L1": lambda shape: soft})
LAZY = Rival("lazy", "1", False, {"L1": lambda shape: lambda x: x})
OTHER = Rival("other", "1", False, {"Nuclear": lambda shape: lambda x: x})


@pytest.mark.parametrize("many", [False, True])
def test_a_wrong_answer_is_not_timed(many: bool, x64):
    ours, honest, lazy = prox.race(LASSO, 2000, many, [HONEST, LAZY, OTHER], repeats=2)
    assert ours.verdict == honest.verdict == "" and lazy.verdict == "inexact" and lazy.difference > 1e-2
    assert np.isnan(lazy.median) and honest.ratio == 1
    assert ours.ratio == ours.median / honest.median > 0 < ours.of_copy
    assert "inexact" in prox.cells(lazy)[-1] and prox.cells(lazy)[4] == "-"


def test_a_better_point_than_ours_is_caught(x64, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    @jr.pytree
    class Spoiled(jr.L1):
        def leaf_prox(self, x, step):
            return super().leaf_prox(x, 2 * step)

    case = LASSO._replace(make=lambda shape: STRENGTH * Spoiled())
    assert [found.verdict for found in prox.race(case, 1000, False, [HONEST], 1)] == ["", "better"]
    monkeypatch.setattr(prox, "CASES", [case])
    monkeypatch.setattr(prox, "rivals", lambda: ([HONEST], []))
    assert prox.main(True, tmp_path, 1) == 1


def test_what_is_absent_is_said_and_skipped(
    x64, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(prox, "CASES", [LASSO, Case("Future", ("L1", "Future"), lambda shape: None)])
    monkeypatch.setattr(prox, "rivals", lambda: ([], ["jaxopt"]))
    assert prox.main(True, tmp_path, 1) == 0
    told = capsys.readouterr().err
    assert "jaxopt is not installed" in told and "Future is skipped: jaxreg has no Future" in told


def test_data_are_for_the_lasso(tmp_path: Path):
    with pytest.raises(SystemExit):
        main(["prox", "--data", str(tmp_path)])


@pytest.mark.slow
def test_the_small_size_runs(tmp_path: Path):
    assert main(["prox", "--smoke", "--repeats", "1", "--out", str(tmp_path)]) == 0
    kept = json.loads((tmp_path / "prox-smoke.json").read_text(encoding="utf-8"))
    ours = [found for found in kept["results"] if found["player"] == "jaxreg"]
    assert {found["penalty"] for found in ours} >= {"L1", "elastic net", "MCP", "SCAD", "Nuclear"}
    assert all(found["median"] > 0 and found["difference"] == 0 for found in ours)
    theirs = {rival.name for rival in rivals()[0]}
    assert theirs <= {found["player"] for found in kept["results"] if not found["verdict"]}
