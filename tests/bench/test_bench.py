"""An inexact or slow player is caught, every case can be named, every rival is served, and the small sizes run."""

import json
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from joblib import parallel_config

from bench import __main__, memory
from bench.__main__ import main
from bench.cases import GLM, SMOKE_GLM, SQUARED, chosen, from_file, of_file, simulated, sparse
from bench.judge import Answer, largest_gap
from bench.players import NotSupportedError, Player, _player, _sklearn, players
from bench.players._player import folds_of
from bench.players._sklearn import path
from bench.problems import Problem
from bench.race import TARGET, calibrate, race
from bench.sweep import Rate, Runner, many_tasks, runners
from bench.sweep import race as sweep_race

FOUND, MISSING = players()
OURS, HONEST = FOUND[0], next(player for player in FOUND if player.name == "scikit-learn")


@pytest.fixture
def tiny() -> Problem:
    return Problem("tiny", *simulated(30, 8))


def zeros(problem: Problem, tol: float) -> Answer:
    shape = (max(problem.folds, 1), len(problem.strengths))
    return Answer(np.zeros((*shape, problem.X.shape[1])), np.full(shape, problem.y.mean()))


def slow(problem: Problem, tol: float) -> Answer:
    time.sleep(5.0)
    return HONEST.play(problem, tol)


def unable(problem: Problem, tol: float) -> Answer:
    raise NotSupportedError("it has a reason")


def test_an_inexact_player_is_caught(tiny: Problem) -> None:
    lazy = Player("lazy", "0", ("squared",), lambda problem, tol: HONEST.play(problem, 1e-2))
    liar = Player("liar", "0", ("squared",), zeros)
    broken = liar._replace(name="broken", reveal=lambda problem, tol, found: found._replace(coef=found.coef * np.nan))
    assert calibrate(HONEST, tiny).reached
    for cheat in (lazy, liar, broken):
        assert (found := calibrate(cheat, tiny)).verdict == "missed" and found.gap > TARGET
    ours, best, worst = race(tiny, [HONEST, HONEST._replace(name="rival"), lazy], repeats=2)
    assert ours.speedup == best.median / ours.median and best.speedup == 1 and np.isnan(worst.median)
    assert ours.limit > 0


def test_a_first_call_may_compile(tiny: Problem) -> None:
    calls = []

    def play(problem: Problem, tol: float) -> Answer:
        calls.append(tol)
        time.sleep(0.5 if len(calls) == 1 else 0.0)
        return folds_of(path)(problem, tol) if problem.folds else HONEST.play(problem, tol)

    found = calibrate(Player("compiles", "0", ("squared",), play), tiny, patience=0.3)
    assert found.reached and found.first >= 0.5 > found.last and calls[0] == calls[1]
    calls.clear()
    folds = Problem("", tiny.X, tiny.y, 5)
    assert calibrate(Player("compiles", "0", ("squared",), play), folds, patience=1.0).reached


def test_patience_ends_and_folds_are_not_begun_in_vain(tiny: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.race._COMPILING", 0.0)
    begun = time.perf_counter()
    player = Player("slow", "0", ("squared",), slow)
    assert calibrate(player, tiny, patience=0.2).verdict == "> 0 s"
    assert calibrate(player, Problem("", tiny.X, tiny.y, 5), patience=0.2).verdict == "> 0 s on the path"
    assert time.perf_counter() - begun < 4.0


def test_what_a_player_does_not_serve_is_said(tiny: Problem) -> None:
    assert calibrate(Player("other", "0", ("poisson",), zeros), tiny).verdict == "not supported"
    assert calibrate(Player("other", "0", ("squared",), unable), tiny).verdict == "not supported: it has a reason"
    thin = Problem("thin", *sparse(40, 30, 0.2, active=2))
    assert calibrate(Player("dense", "0", ("squared",), zeros, sparse=False), thin).verdict == "not supported"
    assert calibrate(HONEST, thin).reached


def test_rivals_that_are_absent_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BENCH_ADELIE", raising=False)
    monkeypatch.setitem(sys.modules, "bench.players._jaxopt", None)
    found, missing = players()
    assert "jaxopt is not installed" in missing and any("BENCH_ADELIE" in line for line in missing)
    assert found[0].name == "jaxreg" and "jaxopt" not in {player.name for player in found}
    assert "adelie is not installed" in players(sys.executable)[1][-1]


SLOW = ("skglm", "glum", "scikit-learn saga")


@pytest.mark.parametrize(
    "player", [p for p in FOUND[1:] if p.name not in SLOW], ids=lambda p: f"{p.name}-{p.losses[0]}"
)
def test_every_rival_solves_what_it_says_it_does(player: Player, x64: None) -> None:
    for loss in player.losses:
        problem = Problem("tiny", *simulated(60, 6), folds=0, loss=loss)
        y = {"squared": problem.y, "logistic": problem.y > 0, "poisson": np.floor(np.abs(problem.y))}[loss]
        problem = Problem("tiny", problem.X, y.astype(float), loss=loss, grid=problem.strengths[::10] / 10)
        assert calibrate(player, problem).reached, loss


def test_folds_by_processes_are_folds_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = Problem("tiny", *simulated(40, 5), folds=3)
    monkeypatch.setattr(_player, "_LARGE", 0)
    monkeypatch.setattr(_player, "CPUS", 2)
    with parallel_config(backend="threading"):  # processes take seconds to start
        spread, turn = (folds_of(_sklearn.path, spread=way)(problem, 1e-8) for way in (True, False))
    np.testing.assert_allclose(spread.coef, turn.coef, atol=1e-12)
    assert spread.scores is not None and largest_gap(problem, spread) < TARGET


def test_cases_are_chosen_by_name() -> None:
    assert [case.name for case in chosen("cv", False, None, ["tecator", "diabetes"])] == ["diabetes", "tecator"]
    assert len(SQUARED) == 14 and {case.loss for case in GLM} == {"logistic", "poisson"}
    with pytest.raises(ValueError, match="path has no case"):
        list(chosen("path", False, None, ["diabetis"]))
    for case in SMOKE_GLM:
        problem = case.problem(2)
        assert problem.task == f"{case.loss} 2-fold CV" and problem.strengths[0] > 0


def test_a_file_of_ones_own_is_read_or_refused(tmp_path: Path) -> None:
    X, y = simulated(20, 3)
    np.savez(tmp_path / "good.npz", X=np.c_[X, np.ones(20)], y=y)
    assert from_file(tmp_path / "good.npz")[0].shape == (20, 3)
    with pytest.raises(ValueError, match="two labels or counts"):
        of_file(tmp_path / "good.npz", glm=True)
    np.savez(tmp_path / "labels.npz", X=X, y=np.sign(y))
    assert of_file(tmp_path / "labels.npz", glm=True).problem().y.min() == 0
    np.savez(tmp_path / "bad.npz", X=X, y=y[:-1])
    with pytest.raises(ValueError, match="expected X of shape"):
        from_file(tmp_path / "bad.npz")


def test_a_loop_is_extrapolated_and_said_to_be(x64: None) -> None:
    def loose(problems, tol):
        return [HONEST.play(problem, 1e-3) for problem in problems]

    sweep, loop = many_tasks(17), runners()[1]
    first, second = sweep_race(sweep, [loop, Runner("loose", loose, lambda problems, found: found)], 1)
    assert isinstance(first, Rate) and first.timed < first.problems == 17 and first.gap <= TARGET
    assert second.timed == 17 and second.gap > TARGET and np.isnan(first.speedup)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["path", "cv", "glm"])
def test_the_small_size_runs(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [command, "--smoke", "--repeats", "1", "--out", str(tmp_path), "--only", "scikit-learn"]
    if command == "glm":  # one of its four: they compile
        monkeypatch.setitem(__main__._FOLDS, "glm", (0,))
        words += ["--case", "smoke-logistic"]
    assert main(words) == 0
    file = tmp_path / ("glm-smoke-logistic.json" if command == "glm" else f"{command}-smoke.json")
    kept = json.loads(file.read_text(encoding="utf-8"))
    ours = [found for found in kept["results"] if found["player"] == "jaxreg"]
    assert len(ours) == 1
    assert all(not found["verdict"] and found["gap"] <= TARGET and found["of_limit"] > 0 for found in ours)
    assert kept["machine"]["jax"] and "jaxreg" in capsys.readouterr().out
    assert "| smoke" in file.with_suffix(".md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_small_sweep_runs(tmp_path: Path) -> None:
    assert main(["sweep", "--smoke", "--repeats", "1", "--out", str(tmp_path)]) == 0
    kept = json.loads((tmp_path / "sweep-smoke.json").read_text(encoding="utf-8"))
    assert {found["player"] for found in kept["results"]} >= {"jaxreg", "scikit-learn"}
    assert all(found["gap"] <= TARGET and found["median"] > 0 for found in kept["results"])


@pytest.mark.slow
def test_peak_memory_is_measured_in_a_process_of_its_own(tiny: Problem) -> None:
    results = race(tiny, [HONEST], repeats=1)
    memory.measure(tiny, [HONEST], results)
    assert 0 <= results[0].peak < 500
