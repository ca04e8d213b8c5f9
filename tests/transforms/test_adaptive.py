"""Strengths that move in training, and affinities of tasks: against slow loops and finite differences."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxreg as jr

RNG = np.random.default_rng(0)
PARAMS = {"a": RNG.normal(size=(3, 4)), "b": RNG.normal(size=2)}
GRADS = {"a": RNG.normal(size=(3, 4)), "b": RNG.normal(size=2)}
PENALTY = np.array([0.3, 0.2, 0.5, 0.1]) * jr.L2(axis=0).on("a") + 0.4 * jr.L1().on("b")


def validation(p):
    return jnp.sum((p["a"] - 0.5) ** 2) + jnp.sum(jnp.cos(p["b"]))


@pytest.mark.parametrize("adam", [False, True], ids=["identity", "adam"])
def test_the_strengths_follow_the_slope_of_one_lookahead(adam: bool, x64):
    """The step is that of `proximal`; the log strengths move by the finite differences of the loss after it."""
    inner = optax.scale_by_adam() if adam else optax.identity()
    tx = jr.adaptive_proximal(PENALTY, 0.3, inner, optimizer=optax.sgd(1.0), only="terms/0/*")
    params = jax.tree.map(jnp.asarray, PARAMS)
    updates, state = jax.jit(lambda g, s, p: tx.update(g, s, p, validation=validation))(GRADS, tx.init(params), params)
    first = np.array([0.3, 0.2, 0.5, 0.1])

    @jax.jit
    def plain(s):
        link = jr.proximal(s * jr.L2(axis=0).on("a") + 0.4 * jr.L1().on("b"), 0.3, inner)
        return link.update(GRADS, link.init(params), params)[0]

    jax.tree.map(np.testing.assert_allclose, updates, plain(first))
    after = lambda s: float(validation(optax.apply_updates(params, plain(s))))  # noqa: E731
    steps = 1e-6 * np.eye(4)
    slope = [(after(first * np.exp(d)) - after(first * np.exp(-d))) / 2e-6 for d in steps]
    ((name, found),) = state.strengths.items()
    assert name.startswith("terms/0") and np.any(slope)
    np.testing.assert_allclose(np.log(found / first), -np.array(slope), rtol=1e-6, atol=1e-9)


def test_zeros_are_exact_and_strengths_learn_what_is_noise():
    """Held-out rows: the strength of the features that matter falls, that of noise does not, and noise is zero."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(80, 6)).astype("float32")
    y = (2 * X[:, 0] - X[:, 1] + 0.5 * rng.normal(size=80)).astype("float32")
    loss = lambda p, rows: jnp.mean((X[rows] @ p - y[rows]) ** 2) / 2  # noqa: E731
    tx = jr.adaptive_proximal(jnp.full(6, 0.2) * jr.L1(), 0.02, optax.scale_by_adam())

    def step(carry, _):
        p, state = carry
        g = jax.grad(loss)(p, slice(0, 40))
        u, state = tx.update(g, state, p, validation=lambda p: loss(p, slice(40, 80)))
        return (optax.apply_updates(p, u), state), None

    p = jnp.zeros(6)
    (p, state), _ = jax.jit(lambda c: jax.lax.scan(step, c, length=600))((p, tx.init(p)))
    s = state.strengths["strength"]
    assert s[:2].max() < 0.15 and s[2:].min() > 0.15, s
    assert np.all(p[2:] == 0) and abs(p[0] - 2) < 0.25


def test_a_rule_replaces_strengths_and_without_validation_they_rest(x64):
    link = jr.adaptive_proximal(
        jnp.full(2, 0.1) * jr.L1(), 0.5, rule=lambda s, p: {"strength": 0.1 / (jnp.abs(p) + 0.1)}
    )
    p = jnp.array([2.0, 0.01])
    u, state = link.update(jnp.zeros(2), link.init(p), p)
    np.testing.assert_allclose(optax.apply_updates(p, u), [1.95, 0])
    np.testing.assert_allclose(state.strengths["strength"], [0.1 / 2.05, 1.0])
    u, _ = link.update(jnp.zeros(2), state, p)
    np.testing.assert_allclose(optax.apply_updates(p, u), [2 - 0.05 / 2.05, 0])
    still = jr.adaptive_proximal(0.1 * jr.L1(), 0.5)
    _, rested = still.update(jnp.zeros(2), still.init(p), p)
    assert rested.strengths["strength"] == 0.1
    _, kept = still.update(jnp.zeros(2), still.init(p), p, validation=lambda p: jnp.nan * p.sum())
    assert kept.strengths["strength"] == 0.1


def test_bad_use_is_named():
    with pytest.raises(ValueError, match="not both"):
        jr.adaptive_proximal(jr.MCP(0.1), 0.1, rule=lambda s, p: s, optimizer=optax.sgd(1.0))
    with pytest.raises(ValueError, match="matches no leaf"):
        jr.adaptive_proximal(jr.L1(), 0.1)
    with pytest.raises(ValueError, match="expected finite numbers > 0"):
        jr.adaptive_proximal(np.zeros(2) * jr.L1(), 0.1)
    link, p = jr.adaptive_proximal(0.1 * jr.L1(), 0.1, rule=lambda s, p: {"strength": p}), jnp.ones(2)
    with pytest.raises(ValueError, match="the rule gave"):
        link.update(p, link.init(p), p)
    with pytest.raises(ValueError, match="needs the parameters"):
        link.update(p, link.init(p))
    with pytest.raises(ValueError, match="a proximal step and 1 link follows"):
        jr.chain(link, optax.scale(0.5))


def losses(p):
    x = jnp.tanh(p["trunk"] @ p["heads"].T)
    return jnp.stack([jnp.sum((x[:, t] - t) ** 2) for t in range(3)])


NET = {"trunk": RNG.normal(size=(4, 2)), "heads": RNG.normal(size=(3, 2))}


def test_affinity_is_a_loop_of_lookaheads(x64):
    found = jax.jit(lambda p: jr.task_affinity(losses, p, 0.05, "trunk"))(NET)
    before, expected = losses(NET), np.zeros((3, 3))
    for i, j in itertools.product(range(3), repeat=2):
        slope = jax.grad(lambda p, i=i: losses(p)[i])(NET)["trunk"]
        ahead = losses({**NET, "trunk": NET["trunk"] - 0.05 * slope})
        expected[i, j] = 1 - ahead[j] / before[j]
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    assert np.diagonal(found).min() > 0
    solved = jr.task_affinity(lambda p: jnp.stack([p.sum() ** 2, jnp.sum(p**2)]), jnp.array([1.0, -1.0]), 0.1)
    np.testing.assert_allclose(solved, [[0, 0], [0, 0.36]], atol=1e-12)
    lanes = jax.vmap(lambda t: jr.task_affinity(losses, {**NET, "trunk": t}, 0.05, "trunk"))(
        jnp.stack([NET["trunk"], 2 * NET["trunk"]])
    )
    np.testing.assert_allclose(lanes[0], found, rtol=1e-10)
    with pytest.raises(ValueError, match="matches no leaf"):
        jr.task_affinity(losses, NET, 0.05, "body")


def gained(Z, groups) -> float:
    """The sum over tasks of the best mean affinity in a group that has them; -inf if one is in none."""
    T, total = len(Z), 0.0
    for j in range(T):
        gains = [np.mean([Z[i, j] for i in g if i != j]) if len(g) > 1 else 0.0 for g in groups if j in g]
        total += max(gains, default=-np.inf)
    return total


@pytest.mark.parametrize("groups", [1, 2, 3])
def test_the_grouping_is_the_best_of_all(groups: int):
    every = [g for r in range(1, 5) for g in itertools.combinations(range(4), r)]
    for seed in range(6):
        Z = np.random.default_rng(seed).normal(size=(4, 4))
        found = jr.group_tasks(Z, groups)
        assert len(found) <= groups and found == tuple(sorted(found))
        best = max(gained(Z, some) for k in range(1, groups + 1) for some in itertools.combinations(every, k))
        assert gained(Z, found) == pytest.approx(best, abs=1e-10)


def test_grouping_says_what_it_cannot_do_and_many_tasks_are_quick():
    blocks = np.kron(np.eye(3), np.ones((3, 3))) - 0.5
    assert jr.group_tasks(blocks, 3) == ((0, 1, 2), (3, 4, 5), (6, 7, 8))
    assert jr.group_tasks(-np.ones((3, 3)), 3) == ((0,), (1,), (2,))
    assert jr.group_tasks(np.zeros((1, 1)), 5) == ((0,),)
    for Z, k, said in (
        (np.ones((2, 3)), 1, "shape"),
        (np.full((2, 2), np.nan), 1, "finite"),
        (np.ones((13, 13)), 1, "at most 12"),
        (np.ones((2, 2)), 0, "groups is 0"),
    ):
        with pytest.raises(ValueError, match=said):
            jr.group_tasks(Z, k)
