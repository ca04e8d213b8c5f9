"""Each weighting against a second way to the same direction: cvxpy, the paper's loop in NumPy, a derivative by JAX."""

import cvxpy as cp
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxreg as jr

pytestmark = pytest.mark.usefixtures("x64")
w = jr.weightings
LOSSES = np.array([0.5, 1.0, 2.0])


def gradients(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(3, 5)) * np.array([1.0, 0.3, 4.0])[:, None]


SEEDS = pytest.mark.parametrize("seed", range(4))


def direction(weighting, J, losses=None):
    return np.asarray(weighting(jnp.asarray(J @ J.T), losses)) @ J


def quadratic(J, low=None, total=None):
    """argmin ‖J'v‖² over v >= low, or over the simplex, by cvxpy."""
    v = cp.Variable(len(J))
    constraints = [v >= (0 if low is None else low)] + ([] if total is None else [cp.sum(v) == total])
    cp.Problem(cp.Minimize(cp.sum_squares(J.T @ v)), constraints).solve(solver="CLARABEL")
    return v.value


@SEEDS
def test_mgda_is_the_shortest_convex_combination(seed: int):
    J = gradients(seed)
    np.testing.assert_allclose(direction(w.MGDA(), J), quadratic(J, total=1) @ J, atol=1e-5)


@SEEDS
def test_upgrad_and_dualproj_project_onto_the_dual_cone(seed: int):
    J = gradients(seed)
    each = sum(quadratic(J, low=e) for e in np.eye(3))
    np.testing.assert_allclose(direction(w.UPGrad(), J), each @ J, atol=1e-4)
    np.testing.assert_allclose(direction(w.DualProj(), J), quadratic(J, low=np.ones(3)) @ J, atol=1e-4)


@SEEDS
def test_cagrad_helps_the_worst_task_most_within_its_radius(seed: int):
    J, mean = gradients(seed), gradients(seed).mean(0)
    d = cp.Variable(J.shape[1])
    near = cp.norm(d - mean) <= 0.5 * np.linalg.norm(mean)
    cp.Problem(cp.Maximize(cp.min(J @ d)), [near]).solve(solver="CLARABEL")
    found = direction(w.CAGrad(radius=0.5), J)
    assert np.linalg.norm(found - mean) <= 0.5 * np.linalg.norm(mean) * (1 + 1e-6)
    assert (J @ found).min() >= (J @ d.value).min() - 1e-6


@SEEDS
def test_sdmgrad_is_the_shortest_mixture_with_the_mean(seed: int):
    J, mean = gradients(seed), gradients(seed).mean(0)
    v = cp.Variable(3)
    objective = cp.sum_squares(J.T @ v + 0.3 * mean)
    cp.Problem(cp.Minimize(objective), [v >= 0, cp.sum(v) == 1]).solve(solver="CLARABEL")
    np.testing.assert_allclose(direction(w.SDMGrad(pull=0.3), J), (v.value @ J + 0.3 * mean) / 1.3, atol=1e-5)


@SEEDS
def test_bargaining_and_fair_weights_meet_their_equations(seed: int):
    G = gradients(seed) @ gradients(seed).T
    for weighting, power in ((w.NashMTL(), 1.0), (w.FairGrad(fairness=2.0), 0.5), (w.FairGrad(fairness=0.5), 2.0)):
        found = np.asarray(weighting(jnp.asarray(G)))
        assert (found > 0).all()
        np.testing.assert_allclose(G @ found, found**-power, rtol=1e-6)


@SEEDS
def test_equal_projections_and_equal_singular_values(seed: int):
    J = gradients(seed)
    unit = J / np.linalg.norm(J, axis=1, keepdims=True)
    found = np.asarray(w.IMTLG()(jnp.asarray(J @ J.T)))
    np.testing.assert_allclose(found.sum(), 1.0, rtol=1e-8)
    np.testing.assert_allclose(unit @ (found @ J), (unit @ (found @ J)).mean(), rtol=1e-6)
    U, s, V = np.linalg.svd(J, full_matrices=False)
    np.testing.assert_allclose(direction(w.AlignedMTL(), J), (s.min() * U @ V).sum(0), rtol=1e-6)
    along = np.linalg.pinv(unit) @ np.ones(3)
    along /= np.linalg.norm(along)
    np.testing.assert_allclose(direction(w.ConFIG(), J), (J @ along).sum() * along, rtol=1e-6)


@SEEDS
def test_projections_in_turn(seed: int):
    J = gradients(seed)
    total, vaccine, targets = np.zeros(5), np.zeros(5), np.full((3, 3), 0.2)
    moved = targets.copy()
    for i in range(3):
        g, h = J[i].copy(), J[i].copy()
        for j in (j for j in range(3) if j != i):
            g -= min(g @ J[j], 0) / (J[j] @ J[j]) * J[j]
            size, other = np.linalg.norm(h), np.linalg.norm(J[j])
            phi, goal = h @ J[j] / size / other, targets[i, j]
            if phi < goal:
                lift = size * (goal * np.sqrt(1 - phi**2) - phi * np.sqrt(1 - goal**2)) / np.sqrt(1 - goal**2)
                h = h + lift * J[j] / other
            moved[i, j] += 0.1 * (phi - goal)
        total, vaccine = total + g, vaccine + h
    np.testing.assert_allclose(direction(w.PCGrad(), J), total, rtol=1e-6)
    found, state = w.GradVac(rate=0.1).update(jnp.asarray(J @ J.T), jnp.asarray(targets))
    np.testing.assert_allclose(np.asarray(found) @ J, vaccine, rtol=1e-6)
    np.testing.assert_allclose(state, moved, rtol=1e-6)


def test_krum_takes_the_gradient_among_its_neighbours():
    J = np.random.default_rng(0).normal(size=(6, 4))
    apart = np.sort(((J[:, None] - J[None]) ** 2).sum(-1), 1)[:, 1:4].sum(1)  # 6 - 1 - 2 nearest
    chosen = np.argsort(apart)[:2]
    found = np.asarray(w.Krum(outliers=1, selected=2)(jnp.asarray(J @ J.T)))
    assert set(np.flatnonzero(found)) == set(chosen) and found.sum() == 1


def test_losses_weigh_as_derivatives_of_their_objectives():
    G, losses = jnp.eye(3), jnp.asarray(LOSSES)
    np.testing.assert_allclose(w.LogSum()(G, losses), jax.grad(lambda x: jnp.log(x).sum())(losses))
    preference, ideal = jnp.array([1.0, 2.0, 0.5]), jnp.array([0.1, 0.0, 0.3])
    smooth = lambda x: 0.7 * jax.nn.logsumexp(preference * (x - ideal) / 0.7)  # noqa: E731
    found = w.STCH(temperature=0.7, preference=preference, ideal=ideal)(G, losses)
    np.testing.assert_allclose(found, jax.grad(smooth)(losses), rtol=1e-6)
    s = jnp.array([0.2, -0.3, 1.0])
    for weighting, objective, weigh in (
        (w.Uncertainty(rate=0.1), lambda s: jnp.sum(0.5 * jnp.exp(-s) * losses + 0.5 * s), lambda s: 0.5 * jnp.exp(-s)),
        (w.IMTLL(rate=0.1), lambda s: jnp.sum(jnp.exp(s) * losses - s), jnp.exp),
    ):
        found, state = weighting.update(G, s, losses)
        np.testing.assert_allclose(found, weigh(s), rtol=1e-6)
        np.testing.assert_allclose(state, s - 0.1 * jax.grad(objective)(s), rtol=1e-6)


def test_famo_follows_its_algorithm_over_steps():
    weighting, G = w.FAMO(rate=0.5, decay=0.01), jnp.eye(3)
    state, logits, before = weighting.init(3, jnp.zeros(())), np.zeros(3), None
    for step in range(4):
        losses = LOSSES * np.array([0.9, 0.5, 1.1]) ** step
        found, state = weighting.update(G, state, jnp.asarray(losses))
        if before is not None:
            fall = np.log(before) - np.log(losses)
            slope = jax.grad(lambda x, fall=fall: jnp.sum(jax.nn.softmax(x) * fall))(jnp.asarray(logits))
            logits = logits - 0.5 * (np.asarray(slope) + 0.01 * logits)
        z = np.exp(logits) / np.exp(logits).sum() / losses
        np.testing.assert_allclose(found, z / z.sum(), rtol=1e-5)
        before = losses


def test_dynamic_average_and_excess_over_steps():
    average, excess = w.DynamicAverage(temperature=1.5), w.ExcessMTL(rate=0.7)
    states = average.init(3, jnp.zeros(())), excess.init(3, jnp.zeros(()))
    history, squares, logits, first = [], np.zeros(3), np.zeros(3), None
    for step in range(4):
        losses, norms = LOSSES * np.array([0.9, 0.5, 1.1]) ** step, np.array([1.0, 4.0, 0.2]) / (1 + step)
        G = jnp.diag(jnp.asarray(norms))
        found, states = average.update(G, states[0], jnp.asarray(losses)), states
        ratio = history[-1] / history[-2] if len(history) > 1 else np.ones(3)
        e = np.exp(ratio / 1.5)
        np.testing.assert_allclose(found[0], 3 * e / e.sum(), rtol=1e-5)
        squares = squares + norms
        risk = norms / np.sqrt(squares)
        first = risk if first is None else first
        logits = logits + 0.7 * risk / first
        weights, after = excess.update(G, states[1])
        np.testing.assert_allclose(weights, np.exp(logits) / np.exp(logits).sum(), rtol=1e-5)
        history.append(losses)
        states = found[1], after


def test_gradnorm_moves_down_its_objective():
    norms, ratio = np.array([1.0, 2.0, 0.5]), np.array([1.0, 0.5, 0.8])
    weighting = w.GradNorm(asymmetry=1.5, rate=0.01)
    G, state = jnp.diag(jnp.asarray(norms**2)), weighting.init(3, jnp.zeros(()))
    _, state = weighting.update(G, state, jnp.asarray(LOSSES))
    ones, state = weighting.update(G, state._replace(weights=jnp.ones(3)), jnp.asarray(LOSSES * ratio))
    level = norms.mean()
    target = level * (ratio / ratio.mean()) ** 1.5
    slope = jax.grad(lambda v: jnp.sum(jnp.abs(v * norms - target)) / level)(jnp.ones(3))
    moved = 1 - 0.01 * np.asarray(slope)
    np.testing.assert_allclose(ones, 1.0)
    np.testing.assert_allclose(state.weights, 3 * moved / moved.sum(), rtol=1e-6)


def test_auto_lambda_descends_the_primary_loss_one_step_ahead():
    J = gradients(0) / np.linalg.norm(gradients(0), axis=1, keepdims=True)
    primary = jnp.array([1.0, 0.0, 0.5])

    def ahead(v, length=1e-4):
        return jnp.sum(primary * (J @ (-length * (v @ J)))) / length  # linear losses g·θ

    found, state = w.AutoLambda(rate=0.1, primary=primary).update(jnp.asarray(J @ J.T), jnp.ones(3))
    np.testing.assert_allclose(found, 1.0)
    np.testing.assert_allclose(state, 1 - 0.1 * jax.grad(ahead)(jnp.ones(3)), rtol=1e-6)


def test_dbmtl_brings_log_gradients_to_the_longest():
    J = gradients(1)
    logs = J / LOSSES[:, None]
    top = np.linalg.norm(logs, axis=1).max()
    expected = (top * logs / np.linalg.norm(logs, axis=1, keepdims=True)).sum(0)
    np.testing.assert_allclose(direction(w.DBMTL(), J, jnp.asarray(LOSSES)), expected, rtol=1e-6)


def test_rows_entry_by_entry():
    J = np.random.default_rng(0).normal(size=(7, 40))
    ordered = np.sort(J, 0)[2:-2].mean(0)
    np.testing.assert_allclose(w.TrimmedMean(trim=2).combine([jnp.asarray(J)], ())[0][0], ordered, rtol=1e-9)
    draws = np.stack(
        [w.GradDrop().combine([jnp.asarray(J)], (), key=k)[0][0] for k in jax.random.split(jax.random.key(0), 400)]
    )
    up, down = np.where(J > 0, J, 0).sum(0), np.where(J < 0, J, 0).sum(0)
    assert (np.isclose(draws, up) | np.isclose(draws, down)).all()
    purity = 0.5 * (1 + J.sum(0) / np.abs(J).sum(0))
    assert np.abs(np.isclose(draws, up).mean(0) - purity).max() < 5 * 0.5 / np.sqrt(400)


def test_moco_tracks_the_rows_of_still_gradients():
    J = gradients(2)
    weighting = w.MoCo(track=0.5, rate=0.5, ridge=0.0)
    state = weighting.init(3, [jnp.zeros(5)])
    step = jax.jit(lambda s: weighting.combine([jnp.asarray(J)], s))
    for _ in range(2000):
        found, state = step(state)
    np.testing.assert_allclose(state.rows[0], J, rtol=1e-3)
    np.testing.assert_allclose(np.asarray(found[0]), direction(w.MGDA(), J), atol=2e-2)


STARTS = ([-8.5, 7.5], [-8.5, -5.0], [9.0, 9.0], [-7.5, -0.5], [9.0, -1.0])


def toy(x):
    """The two losses of Liu et al. 2021 (CAGrad, section 5.1): valleys at odds, gradients of unequal size."""
    c1 = jnp.maximum(jnp.tanh(0.5 * x[1]), 0)
    f1 = jnp.log(jnp.maximum(jnp.abs(0.5 * (-x[0] - 7) - jnp.tanh(-x[1])), 5e-6)) + 6
    f2 = jnp.log(jnp.maximum(jnp.abs(0.5 * (-x[0] + 3) - jnp.tanh(-x[1]) + 2), 5e-6)) + 6
    c2 = jnp.maximum(jnp.tanh(-0.5 * x[1]), 0)
    g1 = ((-x[0] + 7) ** 2 + 0.1 * (-x[1] - 8) ** 2) / 10 - 20
    g2 = ((-x[0] - 7) ** 2 + 0.1 * (-x[1] - 8) ** 2) / 10 - 20
    return jnp.stack([f1 * c1 + g1 * c2, f2 * c1 + g2 * c2])


def pareto_residual(J):
    """The length of the shortest mixture of two gradients, over the longer one."""
    a, b = J / jnp.max(jnp.linalg.norm(J, axis=1))
    t = jnp.clip((b @ (b - a)) / jnp.maximum((b - a) @ (b - a), 1e-300), 0, 1)
    return jnp.linalg.norm(t * a + (1 - t) * b)


BUDGETS = {"MGDA": 1900, "UPGrad": 560, "DualProj": 650, "CAGrad": 1320, "NashMTL": 240}


@pytest.mark.parametrize("name", BUDGETS)
def test_the_two_task_toy_reaches_the_pareto_front(name: str):
    """From all starts, to a residual of 1e-2 near the front y = -8, -7 <= x <= 7, within a budget of steps.

    MGDA stays where the gradients oppose each other, as they nearly do at (9, 9).
    """
    weighting = getattr(w, name)()

    @jax.jit
    def descend(x):
        def step(x, _):
            J = jax.jacrev(toy)(x)
            d = weighting(J @ J.T) @ J
            # A step of bounded length, shrinking as the direction does.
            new = x - 0.1 * d / jnp.maximum(jnp.linalg.norm(d), 1.0)
            return new, (pareto_residual(J) <= 1e-2) & (x[1] < -7.5)

        return jax.lax.scan(step, x, None, length=BUDGETS[name])

    ends, there = jax.vmap(descend)(jnp.asarray(STARTS))
    ends, moving = np.asarray(ends), np.array([name != "MGDA" or start != [9.0, 9.0] for start in STARTS])
    assert np.asarray(there).any(1)[moving].all(), ends
    assert (np.abs(ends[moving] - [0, -8]) < [7.5, 0.5]).all(), ends
