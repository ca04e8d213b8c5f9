"""The judge is right, an inexact player does not pass it, and the small size runs to the end."""

import json
from pathlib import Path

import cvxpy as cp
import numpy as np
import pytest
from sklearn.linear_model import Lasso

from bench.__main__ import able, main
from bench.judge import Answer, largest_gap, lasso, score_error
from bench.methods import METHODS, Method
from bench.problems import Problem, from_file, simulated
from bench.race import TARGET, calibrate, race


@pytest.fixture
def tiny() -> Problem:
    return Problem("tiny", *simulated(30, 8), folds=0)


def exact(X: np.ndarray, y: np.ndarray, strength: float) -> tuple[float, np.ndarray, float]:
    """Objective, coefficients and intercept of a conic solver."""
    w, b = cp.Variable(X.shape[1]), cp.Variable()
    loss = 0.5 * cp.sum_squares(y - X @ w - b) / len(y)
    found = cp.Problem(cp.Minimize(loss + strength * cp.norm1(w)))
    found.solve(solver=cp.CLARABEL)
    return found.value, w.value, b.value


def zeros(problem: Problem) -> Answer:
    shape = (max(problem.folds, 1), len(problem.strengths))
    return Answer(np.zeros((*shape, problem.X.shape[1])), np.full(shape, problem.y.mean()))


def test_the_judge_agrees_with_a_conic_solver(tiny: Problem) -> None:
    strength = tiny.strengths[60]
    value, w, b = exact(tiny.X, tiny.y, strength)
    verdict = lasso(tiny.X, tiny.y, np.array([strength]), w[None], np.array([b]))
    assert verdict.primal[0] == pytest.approx(value, rel=1e-8)
    assert verdict.dual[0] == pytest.approx(value, rel=1e-6)
    assert 0 <= verdict.gap[0] < 1e-6


def test_the_judge_agrees_with_scikit_learn(tiny: Problem) -> None:
    model = Lasso(alpha=tiny.strengths[80], tol=1e-14, max_iter=100_000).fit(tiny.X, tiny.y)
    verdict = lasso(tiny.X, tiny.y, tiny.strengths[80:81], model.coef_[None], np.array([float(model.intercept_)]))
    # dual_gap_ belongs to ½ mean (y - b - Xw)² as well, without our division by ½ var(y).
    assert verdict.gap[0] * 0.5 * np.var(tiny.y) == pytest.approx(model.dual_gap_, abs=1e-12)


def test_the_gap_bounds_the_suboptimality(tiny: Problem) -> None:
    rng, strength = np.random.default_rng(1), tiny.strengths[50]
    value, w, b = exact(tiny.X, tiny.y, strength)
    for scale in 10.0 ** np.arange(-4, 1):
        near = w + scale * rng.standard_normal(w.shape), b + scale * rng.standard_normal()
        verdict = lasso(tiny.X, tiny.y, np.array([strength]), near[0][None], np.array([near[1]]))
        above = (verdict.primal[0] - value) / (0.5 * np.var(tiny.y))
        assert above > 0 and verdict.gap[0] >= above - 1e-8 and verdict.dual[0] <= value + 1e-8


def test_zero_is_optimal_at_the_largest_strength_only(tiny: Problem) -> None:
    answer = zeros(tiny)
    gaps = lasso(tiny.X, tiny.y, tiny.strengths, answer.coef[0], answer.intercept[0]).gap
    assert gaps[0] == pytest.approx(0, abs=1e-12) and (gaps[1:] > 0).all()


def test_an_inexact_player_is_caught(tiny: Problem) -> None:
    honest = METHODS[1]
    lazy = Method("lazy", "0", lambda problem, tol: honest.play(problem, 1e-2), honest.reveal)
    liar = Method("liar", "0", lambda problem, tol: zeros(problem), lambda problem, tol, found: found)
    broken = Method("broken", "0", liar.play, lambda problem, tol, found: found._replace(coef=found.coef * np.nan))
    assert calibrate(honest, tiny).reached
    for cheat in (lazy, liar, broken):
        assert not (found := calibrate(cheat, tiny)).reached and found.gap > TARGET
    result = race(tiny, [honest, lazy], repeats=1)
    assert result[0].ratio == 1 and np.isnan(result[1].median)
    assert able([honest, lazy], tiny, result) == [honest]


def test_wrong_scores_are_caught() -> None:
    problem = Problem("tiny", *simulated(30, 8), folds=3)
    answer = zeros(problem)
    true = [np.full(100, 0.5 * np.mean((problem.y[m] - problem.y.mean()) ** 2)) for m in problem.masks]
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


@pytest.mark.slow
def test_the_small_size_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lasso", "--smoke", "--repeats", "1", "--out", str(tmp_path)]) == 0
    kept = json.loads((tmp_path / "lasso-smoke.json").read_text(encoding="utf-8"))
    assert [found["method"] for found in kept["results"]] == ["jaxreg", "scikit-learn"] * 2
    assert all(found["reached"] and found["gap"] <= TARGET for found in kept["results"])
    assert kept["machine"]["jax"] and "jaxreg" in capsys.readouterr().out
