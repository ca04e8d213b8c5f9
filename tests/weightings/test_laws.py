"""What holds for every weighting: one batch of Gramians, easy and hostile, through one compiled call each."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxreg as jr
import zoo

TASKS, WIDTH = 4, 6
WEIGHTINGS = pytest.mark.parametrize("weighting", zoo.WEIGHTINGS, ids=lambda w: type(w).__name__)
NEVER_CONFLICTS = ("MGDA", "UPGrad", "DualProj", "NashMTL", "FairGrad", "ConFIG")
KEY = jax.random.key(3)
ORDER = np.array([2, 0, 3, 1])


def rows(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(TASKS, WIDTH))


def cases() -> dict[str, np.ndarray]:
    """Task gradients (T, d): plain, permuted, scaled, dependent, with a task missing, or nothing at all."""
    J = rows()
    dependent, opposed, absent = J.copy(), J.copy(), J.copy()
    dependent[3] = dependent[0] + dependent[1]
    opposed[1] = -2 * opposed[0]
    absent[2] = 0.0
    return {
        "plain": J,
        "permuted": J[ORDER],
        "large": 1e6 * J,
        "small": 1e-6 * J,
        "uneven": J * np.array([1e-5, 1.0, 1e5, 1e2])[:, None],
        "dependent": dependent,
        "opposed": opposed,
        "equal": np.tile(J[:1], (TASKS, 1)),
        "absent": absent,
        "nothing": np.zeros_like(J),
        "one NaN": np.where(np.arange(TASKS)[:, None] == 1, np.nan, J),
    }


@jax.jit
def batch(weighting, Js, losses):
    """Directions (cases, d) and weights or None, of one step from the start, for every case at once."""

    def one(J, loss):
        if weighting.rowwise:
            return weighting.combine([J], weighting.init(TASKS, [J[0]]), loss, KEY)[0][0], jnp.zeros(TASKS, J.dtype)
        w = weighting(J @ J.T, loss, KEY)
        return jnp.where(w != 0, w, 0.0) @ jnp.where((w != 0)[:, None], J, 0.0), w

    return jax.vmap(one)(Js, losses)


def run(weighting, dtype):
    names = list(cases())
    losses = np.tile(np.array([0.5, 1.0, 2.0, 1.5]), (len(names), 1))
    losses[names.index("permuted")] = losses[0][ORDER]
    found = batch(weighting, np.stack(list(cases().values())).astype(dtype), losses.astype(dtype))
    d, w = (np.asarray(x) for x in found)
    assert d.dtype == w.dtype == dtype
    return dict(zip(names, d, strict=True)), dict(zip(names, w, strict=True))


@WEIGHTINGS
def test_hostile_gramians_give_finite_directions(weighting, dtype: np.dtype):
    d, w = run(weighting, dtype)
    for name in set(d) - {"one NaN"}:
        assert np.isfinite(d[name]).all() and np.isfinite(w[name]).all(), name
    assert not d["nothing"].any()
    if not weighting.rowwise:
        assert w["absent"][2] == 0 and not w["nothing"].any()
    if weighting.from_gramian or weighting.rowwise:
        assert np.isnan(d["one NaN"]).any(), "a NaN became a number"


@WEIGHTINGS
def test_one_call_is_the_batch(weighting, x64):
    d, w = run(weighting, np.dtype("float64"))
    J, losses = jnp.asarray(rows()), jnp.asarray([0.5, 1.0, 2.0, 1.5])
    if weighting.rowwise:
        alone = weighting.combine([J], weighting.init(TASKS, [J[0]]), losses, KEY)[0][0]
        np.testing.assert_allclose(alone, d["plain"], rtol=1e-9)
    else:
        np.testing.assert_allclose(weighting(J @ J.T, losses, KEY), w["plain"], rtol=1e-6)


@WEIGHTINGS
def test_tasks_have_no_order(weighting, x64):
    if weighting.random or type(weighting).__name__ == "Krum":  # ties in Krum go to the first
        pytest.skip("random, or the first of equals")
    d, _ = run(weighting, np.dtype("float64"))
    np.testing.assert_allclose(d["permuted"], d["plain"], rtol=1e-6, atol=1e-8)


@WEIGHTINGS
def test_lowers_for_every_platform(weighting, x64):
    if weighting.random:  # typed keys enter as arguments; the rest of the program is that of the others
        pytest.skip("random")
    J = jax.ShapeDtypeStruct((TASKS, WIDTH), jnp.float32)
    losses = jax.ShapeDtypeStruct((TASKS,), jnp.float32)

    def step(J, losses):
        if weighting.rowwise:
            return weighting.combine([J], weighting.init(TASKS, [J[0]]), losses, None)[0][0]
        return weighting(J @ J.T, losses)

    jax.export.export(jax.jit(step), platforms=("cpu", "cuda", "tpu"))(J, losses)


def test_cagrad_stays_in_its_ball(dtype: np.dtype):
    """‖d - g₀‖ <= c‖g₀‖ on every case, also where the hardest mixture is next to nothing."""
    d, _ = run(jr.weightings.CAGrad(0.5), dtype)
    for name in set(d) - {"one NaN", "nothing"}:
        J = cases()[name].astype(dtype).astype(float)
        mean = J[J.any(1)].mean(0)
        assert np.linalg.norm(d[name] - mean) <= 0.5 * np.linalg.norm(mean) * (1 + 1e-5), name


def cone_residual(J, floor, weights) -> float:
    """How far from v >= floor, Gv >= 0 and one of them an equality, for unit gradients and relative to v."""
    norms = np.linalg.norm(J, axis=1)
    slack = J @ (J.T @ weights) / norms
    return np.abs(np.minimum((weights - floor) * norms, slack)).max() / (np.abs(weights) @ norms)


def simplex_residual(J, mixture, weights) -> float:
    """How far from a mixture of those gradients alone that gain least along the direction, relative to its parts."""
    norms, gains = np.linalg.norm(J, axis=1), J @ (J.T @ weights)
    return mixture @ (gains - gains.min()) / ((np.abs(weights) @ norms) * (np.abs(mixture) @ norms))


@pytest.mark.parametrize("case", ["plain", "small", "dependent", "opposed", "equal"])
def test_duals_are_optimal(case: str, x64):
    """The conditions of every program behind a weighting, to 1e-10; in its ball CAGrad has no unique one if opposed."""
    J, w = cases()[case], jr.weightings
    weigh = lambda weighting: np.asarray(weighting(J @ J.T))  # noqa: E731
    found = [cone_residual(J, e, weigh(w.UPGrad(e))) for e in np.eye(TASKS)]
    found.append(cone_residual(J, np.ones(TASKS), weigh(w.DualProj())))
    pulled = weigh(w.SDMGrad(0.3))
    found.append(simplex_residual(J, 1.3 * pulled - 0.3 / TASKS, pulled))
    if case != "opposed":
        averse = weigh(w.CAGrad())
        found.append(simplex_residual(J, averse - 1 / TASKS, averse))
    assert max(found) <= 1e-10, found


def test_nothing_moves_where_the_gradients_sum_to_zero(dtype: np.dtype):
    """At a Pareto stationary point, and one of the mean loss, these directions vanish; weights by the losses move."""
    J = rows().astype(dtype)
    J[3] = -J[:3].sum(0)
    losses = jnp.arange(1, TASKS + 1, dtype=dtype)
    length = lambda weighting: np.linalg.norm(np.asarray(weighting(J @ J.T, losses)) @ J)  # noqa: E731
    floor = 4 * np.sqrt(TASKS * np.finfo(dtype).eps) * np.linalg.norm(J)
    for name in ("MGDA", "UPGrad", "DualProj", "CAGrad", "SDMGrad", "AlignedMTL"):
        assert length(getattr(jr.weightings, name)()) <= floor, name
    assert length(jr.weightings.LogSum()) > floor


@pytest.mark.parametrize("name", NEVER_CONFLICTS)
def test_no_task_is_hurt(name: str, x64):
    weighting = getattr(jr.weightings, name)()
    d, _ = run(weighting, np.dtype("float64"))
    for case in ("plain", "dependent", "uneven", "absent"):
        J = cases()[case]
        size = np.linalg.norm(J, axis=1) * np.linalg.norm(d[case])
        if name == "ConFIG" and case == "dependent":
            continue  # promised for independent gradients
        assert (J @ d[case] >= -1e-7 * size).all(), case


def test_the_sum_of_these_gradients_does_hurt_a_task():
    J = rows()
    assert (J @ J.sum(0)).min() < 0 or (cases()["opposed"] @ cases()["opposed"].sum(0)).min() < 0


@WEIGHTINGS
def test_repr_says_it_all(weighting):
    assert repr(eval(repr(weighting), vars(jr.weightings))) == repr(weighting)


@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 2, 2)])
def test_what_is_no_gramian_is_refused(shape: tuple):
    with pytest.raises(ValueError, match=r"takes the \(T, T\) Gramian"):
        jr.weightings.MGDA()(jnp.zeros(shape))


REFUSED = {
    "losses missing": (lambda w: w.LogSum()(jnp.eye(2)), ValueError, "give losses"),
    "key missing": (lambda w: w.RandomLoss()(jnp.eye(2)), ValueError, "give key"),
    "rows missing": (lambda w: w.TrimmedMean()(jnp.eye(3)), TypeError, "use jaxreg.aggregate"),
    "few tasks": (lambda w: w.Krum(outliers=2)(jnp.eye(3)), ValueError, "takes 5 tasks at least, got 3"),
    "trim": (lambda w: w.TrimmedMean(trim=1).combine([jnp.ones((2, 1))], ()), ValueError, "takes 3 tasks"),
    "radius": (lambda w: w.CAGrad(radius=-1.0).check(), ValueError, "radius is -1.0"),
    "fairness": (lambda w: w.FairGrad(fairness=0.0).check(), ValueError, "fairness is 0.0"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_parameters_are_named(case: str):
    call, error, message = REFUSED[case]
    with pytest.raises(error, match=message):
        call(jr.weightings)
