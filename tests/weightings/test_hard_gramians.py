"""Weightings where it is hard: sizes apart, conflict, parallel or dependent gradients, absent tasks, many steps."""

import cvxpy
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq

import zoo
from jaxreg import weightings

T = 4
RNG = np.random.default_rng(0)


def matrices() -> list[np.ndarray]:
    """Rows of ordinary gradients, of all sizes, in conflict, nearly parallel, and more than there are dimensions."""
    ordinary = RNG.normal(size=(T, 7))
    sizes = RNG.normal(size=(T, 7)) * np.array([1.0, 1e3, 1e-2, 10.0])[:, None]
    conflict = RNG.normal(size=(T, 7)) - 1.5 * np.outer([1, -1, 1, -1], np.ones(7))
    parallel = np.ones(7) + 0.05 * RNG.normal(size=(T, 7))
    low = np.abs(RNG.normal(size=(T, 2))) + np.array([[0.0, 0.5]])
    return [ordinary, sizes, conflict, parallel, low]


MATRICES = matrices()
FULL = MATRICES[:4]
LOSSES = np.array([0.5, 2.0, 30.0, 1.0])


@jax.jit
def weigh(weighting, gramian, losses=None, key=None):
    return weighting(gramian, losses, key)


@jax.jit
def direction(weighting, J, losses):
    """Σ wᵢ gᵢ of a first step; a key only where a combination of rows needs one, so that orders are plain."""
    key = jax.random.key(0)
    if weighting.rowwise:
        return weighting.combine([J], weighting.init(len(J), [J[0]]), losses, key)[0][0]
    gramian = J @ J.T
    return weighting(gramian, losses, key if isinstance(weighting, weightings.RandomLoss) else None) @ J


def weights_of(weighting, J, losses=None) -> np.ndarray:
    return np.asarray(weigh(weighting, J @ J.T, losses))


def least(J: np.ndarray, linear=None, *constraints_of) -> np.ndarray:
    """argmin ½‖J'w‖² + linear·w by an interior point solver in cvxpy, rows scaled to length 1."""
    norms = np.linalg.norm(J, axis=1)
    u = cvxpy.Variable(len(J))
    objective = 0.5 * cvxpy.sum_squares((J / norms[:, None]).T @ u)
    if linear is not None:
        objective += (linear / norms) @ u
    problem = cvxpy.Problem(cvxpy.Minimize(objective), [c(u, norms) for c in constraints_of])
    problem.solve(solver=cvxpy.CLARABEL, tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12)
    return u.value / norms


def on_simplex(u, norms):
    return cvxpy.sum(cvxpy.multiply(u, norms.min() / norms)) == norms.min()


def nonnegative(u, norms):
    return u >= 0


def close_directions(w, expected, J, tolerance=1e-6) -> None:
    """Σ wᵢ gᵢ is unique where the weights need not be; errors are relative to the gradients that enter it."""
    size = np.abs(expected) @ np.linalg.norm(J, axis=1)
    np.testing.assert_allclose(J.T @ w, J.T @ expected, atol=tolerance * size)


@pytest.mark.parametrize("J", MATRICES)
def test_mgda_is_the_shortest_mixture(J, x64):
    w = weights_of(weightings.MGDA(), J)
    close_directions(w, least(J, None, nonnegative, on_simplex), J)
    d = J.T @ w
    assert np.isclose(w.sum(), 1) and w.min() >= 0
    assert (J @ d >= d @ d - 1e-10 * np.linalg.norm(J, axis=1) * np.linalg.norm(d)).all()


@pytest.mark.parametrize("J", MATRICES)
@pytest.mark.parametrize("preference", [1.0, np.array([1.0, 2.0, 0.0, 0.5])], ids=["even", "given"])
def test_projections_onto_the_dual_cone(J, preference, x64):
    full = np.broadcast_to(preference, T)

    def lifted(p):
        return least(J, None, lambda u, norms: u >= p * norms)

    expected = sum(lifted(p * e) for p, e in zip(full, np.eye(T), strict=True))
    close_directions(weights_of(weightings.UPGrad(preference), J), expected, J)
    close_directions(weights_of(weightings.DualProj(preference), J), lifted(full), J)


@pytest.mark.parametrize("J", MATRICES)
@pytest.mark.parametrize("radius", [0.0, 0.4, 0.9, 2.0])
def test_cagrad_helps_the_worst_task_most(J, radius, x64):
    """No direction in the ball does better for the task that gains least."""
    J = J / np.abs(J).max()
    mean = J.mean(0)
    d = cvxpy.Variable(J.shape[1])
    ball = [cvxpy.norm(d - mean) <= radius * np.linalg.norm(mean)]
    problem = cvxpy.Problem(cvxpy.Maximize(cvxpy.min(J @ d)), ball)
    problem.solve(solver=cvxpy.CLARABEL)
    made = J.T @ weights_of(weightings.CAGrad(radius), J)
    assert np.linalg.norm(made - mean) <= radius * np.linalg.norm(mean) * (1 + 1e-8) + 1e-12
    assert (J @ made).min() >= problem.value - 1e-6 * np.linalg.norm(mean)


@pytest.mark.parametrize("J", MATRICES)
@pytest.mark.parametrize("pull", [0.0, 0.3, 5.0])
def test_sdmgrad_is_the_shortest_with_a_pull(J, pull, x64):
    mean = np.full(T, 1 / T)
    expected = least(J, pull * J @ (J.T @ mean), nonnegative, on_simplex)
    close_directions(weights_of(weightings.SDMGrad(pull), J), (expected + pull * mean) / (1 + pull), J)


@pytest.mark.parametrize("J", MATRICES)
def test_the_balance_of_nash_and_fair(J, x64):
    """G w = w^(-1/α) exactly; the solution is unique for independent gradients, and the conditions decide."""
    G = J @ J.T
    w = weights_of(weightings.NashMTL(), J)
    np.testing.assert_allclose(w * (G @ w), 1.0, rtol=1e-8)
    np.testing.assert_allclose(weights_of(weightings.FairGrad(1.0), J), w, rtol=1e-8)
    for fairness in (0.5, 2.0, 10.0):
        w = weights_of(weightings.FairGrad(fairness), J)
        np.testing.assert_allclose(G @ w * w ** (1 / fairness), 1.0, rtol=1e-7)


@pytest.mark.parametrize("J", FULL)
def test_even_directions(J, x64):
    """IMTL-G and ConFIG by a pseudo-inverse of the rows: the same projection on all gradients, of two lengths."""
    norms = np.linalg.norm(J, axis=1)
    along = np.linalg.pinv(J / norms[:, None]) @ np.ones(T)
    unit = along / np.linalg.norm(along)
    made = J.T @ weights_of(weightings.ConFIG(), J)
    np.testing.assert_allclose(made, (J @ unit).sum() * unit, rtol=1e-8, atol=1e-8 * np.linalg.norm(made))
    w = weights_of(weightings.IMTLG(), J)
    projections = J @ (J.T @ w) / norms
    np.testing.assert_allclose(projections, projections[0], rtol=1e-6)
    assert np.isclose(w.sum(), 1)


@pytest.mark.parametrize("J", MATRICES)
def test_alignedmtl_equalises_the_singular_values(J, x64):
    left, values, right = np.linalg.svd(J, full_matrices=False)
    rank = (values > 1e-6 * values[0]).sum()
    aligned = values[rank - 1] * left[:, :rank] @ right[:rank]
    made = J.T @ weights_of(weightings.AlignedMTL(), J)
    np.testing.assert_allclose(made, aligned.sum(0), atol=1e-6 * np.abs(aligned).max())


def surgery(J: np.ndarray, orders: np.ndarray) -> np.ndarray:
    total = np.zeros(J.shape[1])
    for i, order in enumerate(orders):
        g = J[i].copy()
        for j in order:
            if j != i and g @ J[j] < 0:
                g -= g @ J[j] / (J[j] @ J[j]) * J[j]
        total += g
    return total


@pytest.mark.parametrize("J", MATRICES)
def test_pcgrad_projects_one_after_another(J, x64):
    straight = np.tile(np.arange(T), (T, 1))
    made = J.T @ weights_of(weightings.PCGrad(), J)
    np.testing.assert_allclose(made, surgery(J, straight), rtol=1e-9, atol=1e-12 * np.abs(J).max())


def test_the_order_of_pcgrad_is_drawn_by_the_key(x64):
    """A key gives one of the possible results, always the same; many keys give several."""
    J = MATRICES[2]
    keys = jax.random.split(jax.random.key(0), 20)
    draws, again = (np.array([weigh(weightings.PCGrad(), J @ J.T, key=k) for k in keys]) for _ in range(2))
    np.testing.assert_array_equal(draws, again)
    assert len(np.unique(draws.round(9), axis=0)) > 3


def vaccine(J: np.ndarray, targets: np.ndarray, rate: float) -> np.ndarray:
    total = np.zeros(J.shape[1])
    for i in range(T):
        g = J[i].copy()
        for j in range(T):
            if j == i:
                continue
            length, other = np.linalg.norm(g), np.linalg.norm(J[j])
            met, wanted = g @ J[j] / (length * other), targets[i, j]
            if met < wanted:
                lift = wanted * np.sqrt(1 - met**2) - met * np.sqrt(1 - wanted**2)
                g = g + length * lift / (other * np.sqrt(1 - wanted**2)) * J[j]
            targets[i, j] = (1 - rate) * wanted + rate * met
        total += g
    return total


def test_gradvac_turns_towards_the_running_similarity(x64):
    weighting, targets = weightings.GradVac(0.3), np.zeros((T, T))
    state = weighting.init(T)
    step = jax.jit(weighting.update)
    for J in (*FULL, *FULL):
        w, state = step(J @ J.T, state)
        np.testing.assert_allclose(J.T @ w, vaccine(J, targets, 0.3), rtol=1e-6, atol=1e-8 * np.abs(J).max())
        np.testing.assert_allclose(state, targets, rtol=1e-7, atol=1e-10)


def run(weighting, steps):
    """Weights of every step of (J, losses), by the protocol."""
    state, out = weighting.init(T), []
    update = jax.jit(weighting.update)
    for J, losses in steps:
        w, state = update(J @ J.T, state, losses)
        out.append(np.asarray(w))
    return np.array(out)


STEPS = [(J, LOSSES * (0.9**k) ** np.arange(T)) for k, J in enumerate(FULL)]


def test_learned_weights_reach_their_limits(x64):
    w = run(weightings.IMTLL(0.05), [(FULL[0], np.array([0.5, 2.0, 5.0, 1.0]))] * 2000)[-1]
    np.testing.assert_allclose(w, 1 / np.array([0.5, 2.0, 5.0, 1.0]), rtol=1e-6)
    w = run(weightings.Uncertainty(0.05), [(FULL[0], np.array([0.5, 2.0, 5.0, 1.0]))] * 2000)[-1]
    np.testing.assert_allclose(w, 0.5 / np.array([0.5, 2.0, 5.0, 1.0]), rtol=1e-6)


def test_gradnorm_descends_its_loss(x64):
    """Steps on Σ |wᵢ‖gᵢ‖ - target| with the target held constant, in units of the mean length."""
    w, out = np.ones(T), []
    for J, L in STEPS:
        out.append(w)
        norms, ratio = np.linalg.norm(J, axis=1), L / STEPS[0][1]
        level = (w * norms).mean()
        target = level * (ratio / ratio.mean()) ** 1.5
        slope = np.sign(w * norms - target) * norms / level
        w = np.maximum(w - 0.025 * slope, 1e-3)
        w = w * T / w.sum()
    np.testing.assert_allclose(run(weightings.GradNorm(), STEPS), out, rtol=1e-9)


def test_random_loss_is_a_softmax_of_normal_numbers(x64):
    keys = jax.random.split(jax.random.key(0), 20_000)
    draws = np.asarray(jax.vmap(lambda k: weightings.RandomLoss()(jnp.eye(2), key=k))(keys))
    logits = np.log(draws[:, 0] / draws[:, 1])  # the difference of two standard normals
    assert abs(logits.mean()) < 5 * np.sqrt(2 / 20_000) and abs(logits.var() - 2) < 0.1


def test_graddrop_passes_one_sign_with_the_right_probability(x64):
    J = FULL[0]
    leak = np.array([0.0, 0.5, 1.0, 0.0])
    keys = jax.random.split(jax.random.key(1), 20_000)
    draws = np.asarray(jax.vmap(lambda k: weightings.GradDrop(leak).combine([J], (), key=k)[0][0])(keys))
    up = leak @ np.minimum(J, 0) + np.maximum(J, 0).sum(0)
    down = leak @ np.maximum(J, 0) + np.minimum(J, 0).sum(0)
    assert (np.isclose(draws, up) | np.isclose(draws, down)).all()
    purity = 0.5 * (1 + J.sum(0) / np.abs(J).sum(0))
    assert np.abs(np.isclose(draws, up).mean(0) - purity).max() < 0.02


def test_trimmed_mean_drops_the_extremes_of_every_entry(x64):
    J = RNG.normal(size=(6, 5))
    ordered = np.sort(J, 0)
    made = weightings.TrimmedMean(2).combine([J[:, :2], J[:, 2:]], ())[0]
    np.testing.assert_allclose(np.concatenate(made), ordered[2:4].mean(0))
    absent = np.concatenate([J, np.zeros((2, 5))])
    np.testing.assert_allclose(weightings.TrimmedMean(2).combine([absent], ())[0][0], ordered[2:4].mean(0))


def simplex_projection(v: np.ndarray) -> np.ndarray:
    """By its one multiplier, found numerically."""
    return np.maximum(v - brentq(lambda t: np.maximum(v - t, 0).sum() - 1, v.max() - 1, v.max(), xtol=1e-15), 0)


def test_moco_tracks_the_rows_and_projects_the_weights(x64):
    weighting = weightings.MoCo(0.5, 0.9, 0.1)
    state = weighting.init(T, [np.zeros(7)])
    y, w = np.zeros((T, 7)), np.full(T, 1 / T)
    combine = jax.jit(weighting.combine)
    for k, J in enumerate((FULL[0], FULL[2], FULL[3])):
        pace = np.sqrt(k + 1)
        y = y + 0.5 / pace * (J - y)
        G = y @ y.T
        w = simplex_projection(w - 0.9 / pace * (G / np.abs(G).max() + 0.1 * np.eye(T)) @ w)
        (made,), state = combine([J], state)
        np.testing.assert_allclose(state.weights, w, atol=1e-7)
        np.testing.assert_allclose(made, w @ y, atol=1e-6)


ZOO = pytest.mark.parametrize("weighting", zoo.WEIGHTINGS, ids=lambda w: type(w).__name__)


@ZOO
def test_an_absent_task_does_not_disturb_the_others(weighting, x64):
    """With its row zeroed the direction is that of the other tasks alone."""
    if isinstance(weighting, weightings.RandomLoss):
        pytest.skip("other draws")
    J, losses = RNG.normal(size=(5, 7)), np.array([0.5, np.nan, 2.0, 1.0, 0.3])
    there = np.array([True, False, True, True, True])
    expected = direction(weighting, J[there], losses[there])
    made = direction(weighting, np.where(there[:, None], J, 0.0), losses)
    np.testing.assert_allclose(made, expected, rtol=1e-7, atol=1e-9)


DEGREE = {"NashMTL": 0.0, "FairGrad": -1 / 3}


@ZOO
def test_directions_scale_with_the_gradients(weighting):
    """Gramians of 1e0 to 1e15 in float32: lengths and weights alike grow by known powers, and nothing else changes."""
    scales = (2.0 ** np.array([0, 10, 25])).astype("float32")
    J, losses = FULL[0].astype("float32"), LOSSES.astype("float32")
    made = np.asarray(jax.vmap(lambda s: direction(weighting, s * J, losses))(scales))
    degree = DEGREE.get(type(weighting).__name__, 1.0)
    assert made.dtype == "float32" and made.any()
    for s, d in zip(scales, made, strict=True):
        np.testing.assert_allclose(d / s**degree, made[0], rtol=1e-5, atol=1e-5 * np.abs(made[0]).max())


@pytest.mark.parametrize("name", ["MGDA", "UPGrad", "DualProj", "NashMTL"])
def test_no_task_is_dropped_in_float32(name):
    """Gramians with entries 1e15 apart: the small gradients keep their part, to what rounding of the sum allows."""
    J = (RNG.normal(size=(T, 7)) * np.array([1.0, 1e2, 1e5, 3e7])[:, None]).astype("float32")
    made = np.asarray(direction(getattr(weightings, name)(), J, None), float)
    cosines = J @ made / np.linalg.norm(J, axis=1) / np.linalg.norm(made)
    assert (cosines >= -1e-6).all()
    w = np.asarray(weigh(getattr(weightings, name)(), J @ J.T), float)
    assert (w >= 0).all() and w[0] > 0


@ZOO
def test_half_precision_is_kept(weighting):
    """Gramian in, weights out in half precision; the state stays in float32 through a scan."""
    J = jnp.asarray(FULL[0], "float32")
    losses = jnp.asarray(LOSSES, "bfloat16")
    if weighting.rowwise:
        rows = J.astype("bfloat16")
        made, _ = weighting.combine([rows], weighting.init(T, [rows[0]]), losses, jax.random.key(0))
        assert made[0].dtype == "bfloat16" and np.isfinite(np.asarray(made[0], float)).all()
        return
    G = (J @ J.T).astype("bfloat16")

    def step(state, key):
        w, state = weighting.update(G, state, losses, key)
        return state, w

    _, made = jax.lax.scan(step, weighting.init(T, G), jax.random.split(jax.random.key(0), 3))
    assert made.dtype == "bfloat16"
    exact = weigh(weighting, G.astype("float32"), losses.astype("float32"), jax.random.split(jax.random.key(0), 3)[0])
    np.testing.assert_allclose(np.asarray(made[0], "float32"), exact, rtol=1e-2, atol=1e-2)
