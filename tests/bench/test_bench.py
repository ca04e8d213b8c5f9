"""The judge is right, an inexact player does not pass it, and the small sizes run to the end."""

import json
from pathlib import Path

import cvxpy as cp
import numpy as np
import pytest
import scipy.sparse
from sklearn.linear_model import Lasso

from bench.__main__ import main
from bench.cases import counts, from_file, simulated
from bench.judge import Answer, judge, largest_gap, score_error
from bench.players import Player, players
from bench.problems import Problem, mean_loss
from bench.race import TARGET, calibrate, race

LOSSES = ("squared", "logistic", "poisson")


def tiny(loss: str = "squared", folds: int = 0) -> Problem:
    X, y = counts(30, 8) if loss == "poisson" else simulated(30, 8)
    return Problem("tiny", X, (y > 0).astype(float) if loss == "logistic" else y, folds=folds, loss=loss)


def exact(problem: Problem, strength: float) -> tuple[float, np.ndarray, float]:
    """Objective, coefficients and intercept of a conic solver."""
    X, y = problem.X, problem.y
    w, b = cp.Variable(X.shape[1]), cp.Variable()
    z = X @ w + b
    terms = {
        "squared": lambda: 0.5 * cp.sum_squares(y - z),
        "logistic": lambda: cp.sum(cp.logistic(z)) - y @ z,
        "poisson": lambda: cp.sum(cp.exp(z)) - y @ z,
    }
    found = cp.Problem(cp.Minimize(terms[problem.loss]() / len(y) + strength * cp.norm1(w)))
    found.solve(solver=cp.CLARABEL)
    return found.value, w.value, b.value


def zeros(problem: Problem) -> Answer:
    shape = (max(problem.folds, 1), len(problem.strengths))
    return Answer(np.zeros((*shape, problem.X.shape[1])), np.full(shape, problem.y.mean()))


@pytest.fixture(scope="module")
def honest() -> Player:
    return next(player for player in players()[0] if player.name == "scikit-learn")


@pytest.mark.parametrize("loss", LOSSES)
def test_the_judge_agrees_with_a_conic_solver(loss: str) -> None:
    problem = tiny(loss)
    strength = problem.strengths[60]
    value, w, b = exact(problem, strength)
    verdict = judge(problem.X, problem.y, np.array([strength]), w[None], np.array([b]), loss)
    assert verdict.primal[0] == pytest.approx(value, rel=1e-6)
    assert verdict.dual[0] == pytest.approx(value, rel=5e-5)  # to the accuracy of the conic solver
    assert -1e-12 <= verdict.gap[0] < 1e-3
    sparse = judge(scipy.sparse.csc_array(problem.X), problem.y, np.array([strength]), w[None], np.array([b]), loss)
    assert sparse.gap[0] == pytest.approx(verdict.gap[0], abs=1e-9)


def test_the_judge_agrees_with_scikit_learn() -> None:
    problem = tiny()
    model = Lasso(alpha=problem.strengths[80], tol=1e-14, max_iter=100_000).fit(problem.X, problem.y)
    found = model.coef_[None], np.array([float(model.intercept_)])
    verdict = judge(problem.X, problem.y, problem.strengths[80:81], *found)
    # dual_gap_ belongs to ½ mean (y - b - Xw)² as well, without our division by ½ var(y).
    assert verdict.gap[0] * 0.5 * np.var(problem.y) == pytest.approx(model.dual_gap_, abs=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_gap_bounds_the_suboptimality(loss: str) -> None:
    problem, rng = tiny(loss), np.random.default_rng(1)
    strength = problem.strengths[50]
    value, w, b = exact(problem, strength)
    for scale in 10.0 ** np.arange(-3, 1):
        near = w + scale * rng.standard_normal(w.shape), b + scale * rng.standard_normal()
        verdict = judge(problem.X, problem.y, np.array([strength]), near[0][None], np.array([near[1]]), loss)
        assert verdict.primal[0] > value - 1e-7 and verdict.dual[0] <= value + 1e-6
        assert verdict.gap[0] > 0


@pytest.mark.parametrize("loss", LOSSES)
def test_zero_is_optimal_at_the_largest_strength_only(loss: str) -> None:
    problem = tiny(loss)
    level = {"squared": lambda m: m, "logistic": lambda m: np.log(m / (1 - m)), "poisson": np.log}[loss]
    answer = zeros(problem)
    answer = answer._replace(intercept=np.full_like(answer.intercept, level(problem.y.mean())))
    gaps = judge(problem.X, problem.y, problem.strengths, answer.coef[0], answer.intercept[0], loss).gap
    assert gaps[0] == pytest.approx(0, abs=1e-10) and (gaps[1:] > 0).all()


def test_an_inexact_player_is_caught(honest: Player) -> None:
    problem = tiny()
    lazy = honest._replace(name="lazy", play=lambda problem, tol: honest.play(problem, 1e-2))
    liar = Player("liar", "0", LOSSES, lambda problem, tol: zeros(problem))
    broken = liar._replace(name="broken", reveal=lambda p, tol, found: found._replace(coef=found.coef * np.nan))
    assert calibrate(honest, problem).reached
    for cheat in (lazy, liar, broken):
        assert not (found := calibrate(cheat, problem)).reached and found.gap > TARGET
    result = race(problem, [honest, lazy], repeats=1)
    assert result[0].reached and result[0].median > 0 and np.isnan(result[1].median)


def test_wrong_scores_are_caught() -> None:
    problem = tiny(folds=3)
    answer = zeros(problem)
    true = [
        np.full(100, mean_loss("squared", np.full((1, m.sum()), problem.y.mean()), problem.y[m])[0])
        for m in problem.masks
    ]
    assert score_error(problem, answer._replace(scores=np.stack(true))) < 1e-12
    assert score_error(problem, answer._replace(scores=2 * np.stack(true))) > 0.5
    assert largest_gap(problem, answer) > TARGET


def test_a_file_of_ones_own_is_read_or_refused(tmp_path: Path) -> None:
    X, y = simulated(20, 3)
    np.savez(tmp_path / "good.npz", X=np.c_[X, np.ones(20)], y=y)
    assert from_file(tmp_path / "good.npz")[0].shape == (20, 3)
    np.savez(tmp_path / "bad.npz", X=X, y=y[:-1])
    with pytest.raises(ValueError, match="expected X of shape"):
        from_file(tmp_path / "bad.npz")


def test_cases_are_listed_and_unknown_ones_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["glm", "--list"]) == 0 and "breast-cancer (logistic)" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["path", "--case", "nowhere"])
    assert "has no case" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(("command", "count"), [("path", 1), ("cv", 1), ("glm", 4)])
def test_the_small_sizes_run(command: str, count: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [command, "--smoke", "--repeats", "1", "--only", "scikit-learn", "--out", str(tmp_path)]
    assert main(words) == 0
    kept = json.loads((tmp_path / f"{command}-smoke.json").read_text(encoding="utf-8"))
    ours = [found for found in kept["results"] if found["player"] == "jaxreg"]
    assert len(ours) == count and all(found["gap"] <= TARGET and found["median"] > 0 for found in ours)
    assert kept["machine"]["jax"] and "jaxreg" in capsys.readouterr().out
