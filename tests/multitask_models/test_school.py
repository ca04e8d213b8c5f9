"""139 London schools at the strengths of MALSAR's examples: optima with a certificate of 1e-8."""

import numpy as np
import pytest

import jaxreg as jr
from jaxreg import multitask_models as mm

MODELS = {
    "lasso": mm.independent(200.0 * jr.L1(), intercept=False),
    "joint features": mm.joint_features(200.0, intercept=False),
    "low rank": mm.low_rank(100.0, intercept=False),
    "mean": mm.mean_regularised(10.0, intercept=False),
    "graph": mm.graph(1.0, jr.Graph.edges([(t, t + 1) for t in range(138)], 139).laplacian, intercept=False),
    "robust": mm.robust(10.0, 30.0, intercept=False),
    "robust features": mm.robust_features(90.0, 280.0, intercept=False),
    "dirty": mm.dirty(350.0, 10.0, intercept=False),
}


@pytest.mark.parametrize("name", MODELS)
def test_school_is_solved_to_a_gap_of_1e8(name, shared_data, x64):
    """The objective is MALSAR's Σₜ ½‖Xₜwₜ - yₜ‖² + g(W): each task counts as often as it has rows."""
    school = shared_data("school")
    rows = school["train"][0]
    T = jr.tasks(*(school[k][rows].astype(float) for k in ("X", "y")), school["task"][rows])
    model = MODELS[name]
    risk = model.risk(task_weights=T.counts)
    sol = jr.minimize(risk, model.penalty, model.init(T.data), T.data, T.weights, tol=1e-8)
    assert sol.status == jr.Status.CONVERGED and sol.gap <= 1e-8
    W = np.asarray(model.coef(sol.params))
    errors = np.concatenate(T.ragged(T.data[1] - np.einsum("tmp,tp->tm", np.asarray(T.data[0]), W)))
    assert float(sol.value) == pytest.approx(0.5 * (errors**2).sum() + float(model.penalty.value(sol.params)), rel=1e-9)
