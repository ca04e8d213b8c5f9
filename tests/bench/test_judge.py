"""The judge against conic solvers: bounds hold, meet at the optimum and are not fooled by a wrong intercept."""

import cvxpy as cp
import numpy as np
import pytest
import scipy.sparse
from sklearn.linear_model import Lasso

from bench.cases import counts, simulated
from bench.judge import Answer, judge, largest_gap, pooled, score_error
from bench.problems import Problem

LOSSES = ("squared", "logistic", "poisson")


def tiny(loss: str, folds: int = 0) -> Problem:
    X, y = counts(30, 8) if loss == "poisson" else simulated(30, 8)
    return Problem("tiny", X, (y > 0).astype(float) if loss == "logistic" else y, folds, loss)


def exact(problem: Problem, strength: float) -> tuple[float, np.ndarray, float]:
    """Objective, coefficients and intercept of a conic solver."""
    X, y = problem.X, problem.y
    w, b = cp.Variable(X.shape[1]), cp.Variable()
    z = X @ w + b
    losses = {"squared": 0.5 * cp.square(y - z), "logistic": cp.logistic(z), "poisson": cp.exp(z)}
    loss = losses[problem.loss] - (0 if problem.loss == "squared" else cp.multiply(y, z))
    found = cp.Problem(cp.Minimize(cp.sum(loss) / len(y) + strength * cp.norm1(w)))
    found.solve(solver=cp.CLARABEL, tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12)
    return found.value, w.value, float(b.value)


def zeros(problem: Problem) -> Answer:
    """The best constant."""
    mean = problem.y.mean()
    link = {"squared": lambda m: m, "logistic": lambda m: np.log(m / (1 - m)), "poisson": np.log}
    shape = (max(problem.folds, 1), len(problem.strengths))
    return Answer(np.zeros((*shape, problem.X.shape[1])), np.full(shape, link[problem.loss](mean)))


def one(problem: Problem, strength: float, w: np.ndarray, b: float):
    return judge(problem.X, problem.y, np.array([strength]), w[None], np.array([b]), problem.loss)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("index", [30, 90])
def test_the_judge_agrees_with_a_conic_solver(loss: str, index: int) -> None:
    problem = tiny(loss)
    value, w, b = exact(problem, problem.strengths[index])
    verdict = one(problem, problem.strengths[index], w, b)
    assert verdict.primal[0] == pytest.approx(value, rel=1e-7)
    assert verdict.dual[0] == pytest.approx(value, rel=1e-5)
    assert 0 <= verdict.gap[0] < 1e-5


@pytest.mark.parametrize("loss", LOSSES)
def test_the_gap_bounds_the_suboptimality(loss: str) -> None:
    problem, rng = tiny(loss), np.random.default_rng(1)
    value, w, b = exact(problem, problem.strengths[50])
    for size in 10.0 ** np.arange(-4, 1):
        verdict = one(
            problem, problem.strengths[50], w + size * rng.standard_normal(8), b + size * rng.standard_normal()
        )
        above = verdict.primal[0] - value
        assert above > 0 and verdict.primal[0] - verdict.dual[0] >= above - 1e-8
        assert verdict.dual[0] <= value + 1e-8


@pytest.mark.parametrize("loss", LOSSES)
def test_zero_is_optimal_at_the_largest_strength_only(loss: str) -> None:
    problem = tiny(loss)
    answer = zeros(problem)
    gaps = judge(problem.X, problem.y, problem.strengths, answer.coef[0], answer.intercept[0], loss).gap
    assert gaps[0] == pytest.approx(0, abs=1e-12) and (gaps[1:] > 0).all()


def test_the_judge_agrees_with_scikit_learn() -> None:
    problem = tiny("squared")
    strength = problem.strengths[80]
    model = Lasso(alpha=strength, tol=1e-14, max_iter=100_000).fit(problem.X, problem.y)
    gap = one(problem, strength, model.coef_, float(model.intercept_)).gap[0]
    # dual_gap_ belongs to ½ mean (y - b - Xw)² as well, without our division by ½ var(y).
    assert gap * 0.5 * np.var(problem.y) == pytest.approx(model.dual_gap_, abs=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
def test_sparse_columns_are_judged_like_dense_ones(loss: str) -> None:
    problem, rng = tiny(loss), np.random.default_rng(2)
    X = problem.X * (rng.random(problem.X.shape) < 0.3)
    dense = Problem("dense", X, problem.y, 3, loss)
    thin = Problem("thin", scipy.sparse.csc_array(X), problem.y, 3, loss)
    answer = Answer(0.1 * rng.standard_normal((3, 100, 8)), rng.standard_normal((3, 100)))
    np.testing.assert_allclose(dense.strengths, thin.strengths)
    assert largest_gap(thin, answer) == pytest.approx(largest_gap(dense, answer))


@pytest.mark.parametrize("loss", LOSSES)
def test_wrong_scores_are_caught(loss: str) -> None:
    problem = tiny(loss, folds=3)
    answer = zeros(problem)
    b = answer.intercept[0, 0]
    each = {"squared": lambda y: 0.5 * (y - b) ** 2, "logistic": lambda y: np.log1p(np.exp(b)) - y * b}
    each["poisson"] = lambda y: np.exp(b) - y * b
    true = np.stack([np.full(100, np.mean(each[loss](problem.y[mask]))) for mask in problem.masks])
    assert score_error(problem, answer._replace(scores=true)) < 1e-12
    assert score_error(problem, answer._replace(scores=2 * true)) > 0.4
    assert largest_gap(problem, answer) > 1e-6


def test_pooled_gaps_weigh_problems_by_their_scale() -> None:
    first, second = tiny("squared"), tiny("squared")
    large = Problem("large", second.X, 100 * second.y, grid=first.strengths)
    alone = pooled([large], [zeros(large)])
    assert pooled([first, large], [zeros(first), zeros(large)]) == pytest.approx(alone, rel=1e-3)
    assert pooled([first], [zeros(first)]) == pytest.approx(largest_gap(first, zeros(first)))
