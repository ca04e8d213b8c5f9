"""Task gradients: rows, Gramians without rows, weighted sums, and the first link of a chain."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxreg as jr
from devices import run_on_devices

pytestmark = pytest.mark.usefixtures("x64")
ROWS, WIDTH, TASKS = 12, 4, 3
SHARED = "trunk/*"


def problem():
    """Three regressions on one hidden layer: data, parameters, and the losses (T,) as a function of both."""
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(ROWS, WIDTH)), rng.normal(size=(ROWS, TASKS))
    params = {
        "trunk": {"a": {"kernel": rng.normal(size=(WIDTH, 5))}, "b": {"kernel": rng.normal(size=(5, 5))}},
        "heads": rng.normal(size=(5, TASKS)),
    }

    def losses(p, X=X, Y=Y):
        hidden = jnp.tanh(jnp.tanh(X @ p["trunk"]["a"]["kernel"]) @ p["trunk"]["b"]["kernel"])
        return 0.5 * jnp.mean((hidden @ p["heads"] - Y) ** 2, 0)

    return jax.tree.map(jnp.asarray, params), losses, (X, Y)


def flat(rows) -> np.ndarray:
    return np.concatenate([np.asarray(x).reshape(TASKS, -1) for x in jax.tree.leaves(rows)], 1)


@pytest.mark.parametrize("chunk", [None, 1, 2])
def test_rows_are_the_jacobian(chunk):
    params, losses, _ = problem()
    values, rows = jr.task_jacobian(losses, params, SHARED, chunk=chunk)
    whole = jax.jacrev(losses)(params)
    np.testing.assert_allclose(values, losses(params))
    np.testing.assert_allclose(flat(rows["trunk"]), flat(whole["trunk"]), rtol=1e-9)
    np.testing.assert_allclose(rows["heads"], whole["heads"].sum(0), rtol=1e-9)


def test_the_gramian_needs_no_rows():
    params, losses, _ = problem()
    J = flat(jax.jacrev(losses)(params)["trunk"])
    np.testing.assert_allclose(jr.task_gramian(losses, params, SHARED), J @ J.T, rtol=1e-9)
    parts = jr.task_gramian(losses, params, SHARED, per="layer", chunk=3)
    assert set(parts) == {"trunk/a", "trunk/b"}
    np.testing.assert_allclose(sum(parts.values()), J @ J.T, rtol=1e-9)
    absent = jr.task_gramian(losses, params, SHARED, present=np.array([True, False, True]))
    assert not absent[1].any() and not absent[:, 1].any() and absent[0, 2] == pytest.approx(J[0] @ J[2])


@pytest.mark.parametrize("per", [None, "layer", "leaf"])
@pytest.mark.parametrize("name", ["UPGrad", "MGDA", "PCGrad"])
def test_both_ways_lead_to_the_same_direction(name: str, per):
    params, losses, _ = problem()
    weighting, key = getattr(jr.weightings, name)(), jax.random.key(1)
    direct = jax.jit(lambda p: jr.weighted_gradient(losses, p, weighting, SHARED, per, key=key))(params)
    values, rows = jr.task_jacobian(losses, params, SHARED)
    link = jr.aggregate(weighting, SHARED, per)
    updates, _ = link.update(rows, link.init(params), params, losses=values, key=key)
    for a, b in zip(jax.tree.leaves(direct.grad), jax.tree.leaves(updates), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9)


def test_equal_weights_are_the_plain_sum():
    params, losses, _ = problem()
    found = jr.weighted_gradient(losses, params, jr.weightings.Equal(), SHARED)
    plain = jax.grad(lambda p: losses(p).sum())(params)
    for a, b in zip(jax.tree.leaves(found.grad), jax.tree.leaves(plain), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9)


def test_a_task_without_labels_disturbs_nobody():
    params, losses, _ = problem()
    present = np.array([True, True, False])
    found = jr.weighted_gradient(losses, params, jr.weightings.UPGrad(), SHARED, present=present)
    alone = jr.weighted_gradient(lambda p: losses(p)[:2], params, jr.weightings.UPGrad(), SHARED)
    np.testing.assert_allclose(found.grad["trunk"]["a"]["kernel"], alone.grad["trunk"]["a"]["kernel"], rtol=1e-6)
    assert found.weights[2] == 0 and not found.grad["heads"][:, 2].any()


def both_ways(f, params, present):
    """The gradients by the Gramian and by rows."""
    direct = jr.weighted_gradient(f, params, jr.weightings.UPGrad(), SHARED, present=present)
    values, rows = jr.task_jacobian(f, params, SHARED, present=present)
    link = jr.aggregate(jr.weightings.UPGrad(), SHARED)
    updates, _ = link.update(rows, link.init(params), params, losses=values, present=present)
    np.testing.assert_array_equal(values, direct.losses)
    return direct.grad, updates


SPOILS = {
    "garbage": lambda f: 1e6 + 1e3 * f**2,
    "NaN": lambda f: f + jnp.nan,
    "overflow": lambda f: 1e200 * (1e200 * f),
}


@pytest.mark.parametrize("case", SPOILS)
def test_an_absent_task_may_hold_anything(case: str):
    params, losses, _ = problem()
    present = np.array([True, True, False])
    alone = jr.weighted_gradient(lambda p: losses(p)[:2], params, jr.weightings.UPGrad(), SHARED).grad
    spoiled = lambda p: losses(p).at[2].set(SPOILS[case](losses(p)[2]))  # noqa: E731
    for grad in both_ways(spoiled, params, present):
        for a, b in zip(jax.tree.leaves(grad), jax.tree.leaves(alone), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-12)
        assert not grad["heads"][:, 2].any()


def test_labels_that_are_nan_are_masked_inside():
    """0 · NaN in the loss's own backward pass is told, not hidden; the mask of docstrings avoids it."""
    params, losses, (X, Y) = problem()
    present = np.array([True, True, False])
    Y = jnp.asarray(Y).at[:, 2].set(jnp.nan)
    for grad in both_ways(lambda p: losses(p, X, Y), params, present):
        assert jnp.isnan(grad["trunk"]["a"]["kernel"]).any()
    for grad in both_ways(lambda p: losses(p, X, jnp.where(present[None], Y, 0.0)), params, present):
        assert all(jnp.isfinite(x).all() for x in jax.tree.leaves(grad)) and not grad["heads"][:, 2].any()


def test_devices_average_their_rows_before_the_gramian():
    params, losses, (X, Y) = problem()
    halves = X.reshape(2, -1, WIDTH), Y.reshape(2, -1, TASKS)

    def one(X, Y):
        return jr.weighted_gradient(lambda p: losses(p, X, Y), params, jr.weightings.MGDA(), SHARED, axis_name="d").grad

    split = jax.vmap(one, axis_name="d")(*halves)
    whole = jr.weighted_gradient(losses, params, jr.weightings.MGDA(), SHARED).grad
    for a, b in zip(jax.tree.leaves(split), jax.tree.leaves(whole), strict=True):
        np.testing.assert_allclose(a[0], b, rtol=1e-6, atol=1e-9)


def steps(X, Y, axis=None):
    """The direction of the test's problem on some rows, by the Gramian and by rows averaged over an axis."""
    params, losses, _ = problem()
    f = lambda p: losses(p, X, Y)  # noqa: E731
    direct = jr.weighted_gradient(f, params, jr.weightings.UPGrad(), SHARED, axis_name=axis)
    values, rows = jr.task_jacobian(f, params, SHARED, axis_name=axis)
    link = jr.aggregate(jr.weightings.UPGrad(), SHARED, axis_name=axis)
    return direct.losses, direct.grad, values, link.update(rows, link.init(params), params, losses=values)[0]


def spread(devices: int):
    """`steps` on rows that are dealt out to devices."""
    mesh, P = jax.make_mesh((devices,), ("d",), axis_types=(jax.sharding.AxisType.Auto,)), jax.P
    return jax.jit(jax.shard_map(partial(steps, axis="d"), mesh=mesh, in_specs=(P("d"), P("d")), out_specs=P()))


DEVICES = """
import sys, numpy as np, jax
sys.path.insert(0, {tests!r})
jax.config.update("jax_enable_x64", True)
from transforms.test_aggregate import problem, spread, steps
assert len(jax.devices()) == 2
X, Y = problem()[2]
jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12), spread(2)(X, Y), steps(X, Y))
"""


def test_two_devices_make_the_step_of_one():
    run_on_devices(DEVICES, 2)


def test_balanced_gradients_lower_for_every_platform():
    X, Y = (jax.ShapeDtypeStruct((ROWS, n), jnp.float32) for n in (WIDTH, TASKS))
    made = jax.export.export(jax.jit(steps), platforms=("cpu", "cuda", "tpu"))(X, Y)
    assert made.platforms == ("cpu", "cuda", "tpu")


def test_balance_then_adam_then_exact_zeros():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 8))
    Y = X[:, :2] @ rng.normal(size=(2, TASKS))
    params = {"trunk": jnp.asarray(0.1 * rng.normal(size=(8, 3))), "heads": jnp.asarray(rng.normal(size=(3, TASKS)))}
    tx = optax.chain(
        jr.aggregate(jr.weightings.UPGrad(preference=1 / TASKS), shared="trunk"),
        jr.proximal(0.2 * jr.L2(axis=1).on("trunk"), 0.02, optax.scale_by_adam()),
    )

    def losses(p):
        return 0.5 * jnp.mean((X @ p["trunk"] @ p["heads"] - Y) ** 2, 0)

    @jax.jit
    def step(p, state):
        values, rows = jr.task_jacobian(losses, p, "trunk")
        updates, state = tx.update(rows, state, p, losses=values)
        return optax.apply_updates(p, updates), state

    state = tx.init(params)
    for _ in range(600):
        params, state = step(params, state)
    kept = np.asarray((params["trunk"] != 0).any(1))
    assert kept[:2].all() and not kept[2:].all(), "features that no task needs vanish exactly"


REFUSED = {
    "no weighting": (
        lambda p, f: jr.aggregate("UPGrad"),
        TypeError,
        r"expected a value such as jaxreg.weightings.UPGrad",
    ),
    "tasks": (lambda p, f: jr.aggregate(jr.weightings.FAMO()), ValueError, "give their number, tasks="),
    "glob": (lambda p, f: jr.task_gramian(f, p, "body/*"), ValueError, "matches"),
    "per": (lambda p, f: jr.task_gramian(f, p, SHARED, per="block"), ValueError, "per is 'block'"),
    "losses": (lambda p, f: jr.task_gramian(lambda q: f(q).sum(), p), ValueError, "one loss per task"),
    "rows": (
        lambda p, f: jr.aggregate(jr.weightings.MGDA(), SHARED).update(
            p, jr.aggregate(jr.weightings.MGDA(), SHARED).init(p), p
        ),
        ValueError,
        "one row per task",
    ),
    "mask": (lambda p, f: jr.task_gramian(f, p, present=np.ones(2, bool)), ValueError, "one per task"),
    "mask of rows": (lambda p, f: jr.task_jacobian(f, p, present=np.ones(2, bool)), ValueError, "one per task"),
    "needs rows": (lambda p, f: jr.weighted_gradient(f, p, jr.weightings.GradDrop()), TypeError, "use task_jacobian"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_calls_are_told(case: str):
    call, error, message = REFUSED[case]
    params, losses, _ = problem()
    with pytest.raises(error, match=message):
        call(params, losses)
