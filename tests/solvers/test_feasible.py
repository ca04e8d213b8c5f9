"""Duality gaps where conjugates are not at hand: couplings, free parameters, sets, penalties of one's own."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxreg as jr
from jaxreg import multitask_models as mm
from jaxreg.solvers import _certificate, _feasible
from jaxreg.solvers._problem import bind

UNITS = np.array([1.0, 100.0, 0.01, 1.0])
PATH = jr.Graph.edges([(0, 1), (1, 2)], 3).laplacian
PAIRS = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.5], [0.0, 0.5, 0.0]])


@jr.pytree
class Cubic(jr.Leafwise):
    """Two methods and nothing else."""

    def leaf_value(self, x):
        return jnp.sum(jnp.abs(x) ** 3) / 3

    def leaf_prox(self, x, step):
        return jnp.sign(x) * (jnp.sqrt(1 + 4 * step * jnp.abs(x)) - 1) / (2 * step)


MODELS = {
    "mean": mm.mean_regularised(0.5),
    "graph": mm.graph(0.5, PATH),
    "chain": mm.independent(0.3 * jr.Chain(axis=0)),
    "fused": mm.independent(0.1 * jr.TV1D(axis=0)),
    "adaptive": mm.adaptive(0.1),
    "clustering": mm.convex_clustering(0.1),
    "some pairs": mm.convex_clustering(0.2, PAIRS),
    "fused lasso": mm.independent(0.05 * jr.TV1D() + 0.05 * jr.L1()),
    "monotone": mm.independent(0.1 * jr.Ridge() + jr.Monotone()),
    "positive ball": mm.independent(jr.NonNegative() + jr.L2Ball(1.0)),
    "own": mm.independent(0.2 * Cubic()),
}
LOSSES = (jr.Squared(), jr.Logistic(), jr.Huber())


def ragged(loss: jr.Loss, rows: tuple[int, ...]) -> Any:
    rng = np.random.default_rng(0)
    given = []
    for n in rows:
        X = rng.normal(size=(n, 4)) + 1
        z = X @ rng.normal(size=4) + 2 * rng.normal(size=n)
        given.append((X * UNITS, (z > np.median(z)) * 1.0 if isinstance(loss, jr.Logistic) else z))
    return jr.tasks(given)


def fit(model, loss, T, tol, **options):
    given = (model.risk(loss), model.penalty, model.init(T.data), T.data, T.weights)
    return jr.minimize(*given, tol=tol, on_fail="ignore", **options)


def scale(model, loss, T) -> float:
    zero = model.init(T.data)
    if loss.quadratic:
        return sum(np.var(y[w > 0]) / 2 for y, w in zip(T.data[1], np.asarray(T.weights), strict=True))
    return float(model.risk(loss)(zero, T.data, T.weights) + model.penalty.value(zero))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_the_gap_bounds_what_is_left_in_far_units(loss, name, x64):
    model, T = MODELS[name], ragged(loss, (30, 20, 10))
    best = fit(model, loss, T, 1e-9)
    assert best.status == jr.Status.CONVERGED
    for tol in (1e-3, 1e-5, 1e-7):
        sol = fit(model, loss, T, tol)
        left = float(sol.value - best.value) / scale(model, loss, T)
        assert sol.status == jr.Status.CONVERGED and -1e-9 <= left <= sol.gap + 1e-12


def test_where_residuals_would_lie(x64, monkeypatch):
    """The test above fails if the certificate is the KKT residual."""
    monkeypatch.setattr(_certificate, "_CLOSE", 0.0)
    model, loss = MODELS["clustering"], jr.Squared()
    T = ragged(loss, (30, 20, 10))
    jax.clear_caches()
    best, sol = fit(model, loss, T, 1e-12), fit(model, loss, T, 1e-3)
    jax.clear_caches()
    assert float(sol.value - best.value) / scale(model, loss, T) > sol.gap


@pytest.mark.parametrize("name", ["mean", "graph", "adaptive", "clustering", "some pairs"])
def test_tasks_with_fewer_rows_than_features_have_a_gap(name, x64):
    """Only the pooled problem must be determined."""
    model, loss = MODELS[name], jr.Squared()
    T = ragged(loss, (9, 2, 1))
    best, sol = fit(model, loss, T, 1e-10), fit(model, loss, T, 1e-4)
    assert best.status == sol.status == jr.Status.CONVERGED
    assert -1e-9 <= float(sol.value - best.value) / scale(model, loss, T) <= sol.gap + 1e-12


def test_softmax_has_a_gap_beside_an_intercept(x64):
    rng = np.random.default_rng(0)
    data = (rng.normal(size=(40, 4)) * UNITS, rng.integers(0, 3, 40))
    risk, init = jr.risk(jr.linear, jr.Softmax()), jr.linear_params(data, outputs=3)
    best, sol = (jr.minimize(risk, 0.05 * jr.L1(), init, data, tol=t, max_steps=100_000) for t in (1e-7, 1e-3))
    assert best.status == sol.status == jr.Status.CONVERGED
    left = float(sol.value - best.value) / np.log(3)
    assert -1e-7 <= left <= sol.gap


@pytest.mark.parametrize("name", ["mean", "adaptive", "own", "monotone"])
def test_sides_satisfy_fenchel_and_young(name, x64):
    """κ<u, w> <= g(w) + g*(κu) at random w, for what bounds take g* to be."""
    model, loss = MODELS[name], jr.Squared()
    T = ragged(loss, (30, 20, 10))
    sol = fit(model, loss, T, 1e-8)
    f = bind(model.risk(loss), T.data, T.weights)
    predictions, back = jax.vjp(f.predictions, sol.params)
    slopes = jax.grad(f.value_at)(predictions)
    grad = back(slopes)[0]
    parts = model.penalty.parts(tuple(sorted(grad)))
    point, _, normal = _certificate._touch(model.penalty, sol.params, grad, jnp.asarray(1e-4))
    zero = jax.tree.map(jnp.zeros_like, grad)
    found = _feasible.feasible(f, parts, frozenset(), sol.params, slopes, zero, (point, normal), jnp.array(True))
    moved = back(found.slopes)[0]
    assert found.reached
    np.testing.assert_allclose(moved["intercept"], 0, atol=1e-12)
    rng = np.random.default_rng(1)
    for _ in range(20):
        w = jax.tree.map(lambda x: jnp.asarray(rng.normal(size=x.shape) / (UNITS if x.ndim > 1 else 1)), sol.params)
        w = {**model.penalty.prox(w, 1e-9), "intercept": w["intercept"]}
        for kappa in (1.0, 0.5):
            along = -kappa * sum(
                jnp.sum(a * b) for a, b in zip(jax.tree.leaves(w), jax.tree.leaves(moved), strict=True)
            )
            most = model.penalty.value(w) + sum(side.conjugate(jnp.asarray(kappa)) for side in found.sides)
            assert along <= most + 1e-9 * (1 + abs(most))
