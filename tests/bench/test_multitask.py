"""The judge of several outputs against a conic solver, rivals that reach it, cheats that do not, and the small size."""

import json
from pathlib import Path

import cvxpy as cp
import numpy as np
import pytest

from bench.__main__ import main
from bench.judge import Answer, judge_rows
from bench.multitask import SMOKE, Rows, cases, contestants, simulated
from bench.players import Player
from bench.race import TARGET, calibrate


def test_the_judge_agrees_with_a_conic_solver() -> None:
    X, Y = simulated(30, 8, 3, 3)
    strength = 0.2 * Rows("tiny", X, Y, loss="rows").top
    W, b = cp.Variable((8, 3)), cp.Variable((1, 3))
    cost = 0.5 * cp.sum_squares(X @ W + np.ones((30, 1)) @ b - Y) / 30
    value = cp.Problem(cp.Minimize(cost + strength * cp.sum(cp.norm(W, 2, axis=1)))).solve(solver=cp.CLARABEL)
    best = judge_rows(X, Y, np.array([strength]), W.value[None], b.value)
    assert best.primal[0] == pytest.approx(value, rel=1e-7) and 0 <= best.gap[0] < 1e-5
    worse = judge_rows(X, Y, np.array([strength]), 1.01 * W.value[None], b.value)
    assert worse.primal[0] - worse.dual[0] >= worse.primal[0] - value > 0 and worse.dual[0] <= value + 1e-9


def test_rivals_reach_the_gap_and_cheats_do_not(x64: None) -> None:
    X, Y = simulated(60, 8, 3, 3)
    problem = Rows("tiny", X, Y, loss="rows", grid=Rows("tiny", X, Y, loss="rows").strengths[::12])
    for player in contestants()[1:]:
        assert calibrate(player, problem).reached, player.name

    def zeros(problem: Rows, tol: float) -> Answer:
        return Answer(np.zeros((1, 9, 8, 3)), np.broadcast_to(Y.mean(0), (1, 9, 3)))

    assert (found := calibrate(Player("zeros", "0", ("rows",), zeros), problem)).verdict == "missed"
    assert found.gap > TARGET


def test_cases_are_chosen_by_name() -> None:
    assert [case.name for case in cases(False, ["yeast"])] == ["yeast"] and cases(True, None) == SMOKE
    with pytest.raises(ValueError, match="multitask has no case"):
        cases(False, ["yeats"])


@pytest.mark.slow
def test_the_small_size_runs(tmp_path: Path) -> None:
    assert main(["multitask", "--smoke", "--repeats", "1", "--out", str(tmp_path)]) == 0
    kept = json.loads((tmp_path / "multitask-smoke.json").read_text(encoding="utf-8"))
    assert {found["player"] for found in kept["results"]} >= {"jaxreg", "scikit-learn"}
    assert all(found["gap"] <= TARGET for found in kept["results"] if found["player"] == "jaxreg")
