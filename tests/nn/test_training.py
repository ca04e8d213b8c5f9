"""Training: seeds in a vmap, missing labels, steps that are not finite, weightings, resuming to the bit."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxreg as jr
from jaxreg import nn

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3)).astype("float32")
Y = {"value": X[:, 0] - X[:, 1], "kind": (X[:, 2] > 0).astype("int32")}
LOSS = {"value": jr.Squared(), "kind": jr.Softmax()}
NET = nn.HardSharing(nn.mlp((4,)), {"value": nn.dense(), "kind": nn.dense(2)})
DATA = nn.split(nn.examples(X, Y), jax.random.key(0))
ADAM = optax.adam(0.05)
KEY = jax.random.key(1)


def fit(epochs=3, **given):
    settings = {"key": KEY, "seeds": 2, "epochs": epochs, "batch_size": 9, **given}
    return nn.fit(NET, LOSS, DATA, ADAM, **settings)


def test_a_fit_learns_and_says_what_it_saw():
    found = fit(12, metric={"value": jr.Squared(), "kind": nn.accuracy})
    assert found.tasks == ("value", "kind")
    assert found.train.shape == found.validation.shape == found.validation_metric.shape == (2, 12, 2)
    assert (found.validation[:, -1].sum(-1) < 0.6 * found.validation[:, 0].sum(-1)).all()
    np.testing.assert_array_equal(found.best, found.validation.sum(-1).argmin(1))
    assert (found.skipped == 0).all() and (found.status == jr.Status.MAX_STEPS).all()
    at_best = nn.evaluate(NET, LOSS)(jax.tree.map(lambda a: a[1], found.params), DATA.validation)
    np.testing.assert_allclose(at_best, found.validation[1, found.best[1]], rtol=1e-5)
    assert "ddof 1" in repr(found)


def test_the_choice_of_the_epoch_never_sees_the_test_rows():
    spoiled = DATA._replace(test=jax.tree.map(lambda a: a * 0 + 1, DATA.test))
    a, b = fit(), nn.fit(NET, LOSS, spoiled, ADAM, key=KEY, seeds=2, epochs=3, batch_size=9)
    np.testing.assert_array_equal(a.best, b.best)
    jax.tree.map(np.testing.assert_array_equal, a.params, b.params)
    assert (a.test != b.test).any()


def test_seeds_in_a_vmap_are_a_loop():
    lanes = fit().train
    step = nn.train_step(nn.task_losses(NET, LOSS), ADAM)

    @jax.jit
    def alone(key):
        for_params, for_steps = jax.random.split(key)
        params = NET.init(for_params, DATA.train.x[:1])
        state, means = step.init(params, for_steps, DATA.train), []
        for _ in range(3):
            order = jax.random.permutation(jax.random.fold_in(state.key, 1), 36).reshape(-1, 9)
            state, losses = jax.lax.scan(lambda s, i: step.update(s, DATA.train.take(i)), state, order)
            means.append(losses.mean(0))
        return jnp.stack(means)

    for lane, key in zip(lanes, jax.random.split(KEY, 2), strict=True):
        np.testing.assert_allclose(lane, alone(key), rtol=2e-4)


def test_missing_labels_count_for_nothing_whatever_they_hold():
    mask = {"value": np.arange(60) % 2, "kind": np.ones(60)}
    odd = {**Y, "value": np.where(mask["value"] > 0, Y["value"], np.nan)}
    whole, half = nn.examples(X, Y), nn.examples(X, odd, mask)
    params = NET.init(KEY, X[:1])
    losses = nn.task_losses(NET, LOSS)
    grads = jax.grad(lambda p: losses(p, half)[0])(params)
    some = jax.grad(lambda p: losses(p, whole.take(np.arange(1, 60, 2)))[0])(params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), grads, some)
    none = half.take(np.arange(0, 60, 2))
    found = losses(params, none)
    assert found[0] == 0 and found[1] > 0
    gone = jax.grad(lambda p: losses(p, none)[0])(params)
    assert not any(np.any(a) for a in jax.tree.leaves(gone))
    seen = nn.evaluate(NET, LOSS)(params, none)
    assert jnp.isnan(seen[0]) and jnp.isfinite(seen[1])


def test_a_step_that_is_not_finite_changes_nothing_and_is_counted():
    def losses(p, batch, key):
        return jnp.stack([jnp.sum(p**2), jnp.sum(p) * batch])

    step = nn.train_step(losses, ADAM)
    start = step.init(jnp.ones(2), KEY, jnp.ones(()))
    good, _ = step.update(start, jnp.ones(()))
    for bad in (jnp.nan, jnp.inf):
        kept, values = step.update(good, jnp.array(bad))
        assert not jnp.isfinite(values[1]) and int(kept.skipped) == 1
        jax.tree.map(np.testing.assert_array_equal, (kept.params, kept.opt), (good.params, good.opt))
    assert int(good.skipped) == 0 and (good.params != start.params).all()


def test_a_step_that_overflows_the_optimizer_is_skipped():
    """A finite gradient of 1e25 makes Adam's second moment infinite, and nothing would ever move again."""
    step = nn.train_step(lambda p, batch, key: batch * p[None], optax.adam(0.1))
    state = step.init(jnp.ones(()), KEY, jnp.ones(1))
    state, _ = step.update(state, jnp.array([1e25]))
    assert int(state.skipped) == 1 and float(state.params) == 1
    state, _ = step.update(state, jnp.ones(1))
    assert int(state.skipped) == 1 and float(state.params) < 1


def test_an_optimizer_that_starts_at_infinity_is_not_skipped():
    tx = optax.chain(optax.sgd(0.1), optax.contrib.reduce_on_plateau())
    step = nn.train_step(lambda p, batch, key: p[None] ** 2, tx)
    state, _ = step.update(step.init(jnp.ones(()), KEY, None), None, value=jnp.ones(()))
    assert int(state.skipped) == 0 and float(state.params) < 1


def test_a_run_that_never_steps_says_so():
    broken = nn.fit(NET, lambda z, y: z.reshape(len(z), -1)[:, 0] * jnp.nan, DATA, ADAM, key=KEY, epochs=1)
    assert broken.status.tolist() == [jr.Status.NONFINITE] and broken.best.tolist() == [-1]


class Fixed(jr.weightings.Weighting):
    """A weighting that keeps count and gives the first task everything."""

    def init(self, tasks, like=0.0):
        return jnp.zeros(())

    def update(self, gramian, state, losses=None, key=None):
        return jnp.where(jnp.arange(len(gramian)) == 0, gramian[0, 0], 0.0), state + 1


def test_a_weighting_balances_the_trunk_alone():
    losses, params = nn.task_losses(NET, LOSS), NET.init(KEY, X[:1])
    step = nn.train_step(losses, optax.sgd(1.0), weighting=Fixed())
    state = step.init(params, KEY, DATA.train)
    moved, _ = step.update(state, DATA.train)
    rows = jax.jacrev(losses)(params, DATA.train)
    size = sum(float(jnp.sum(a[0] ** 2)) for a in jax.tree.leaves(rows["trunk"]))
    near = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)  # noqa: E731
    trunk = jax.tree.map(lambda p, r: p - size * r[0], params["trunk"], rows["trunk"])
    heads = jax.tree.map(lambda p, r: p - r.sum(0), params["heads"], rows["heads"])
    jax.tree.map(near, moved.params, {"trunk": trunk, "heads": heads})
    assert float(moved.weighting[0]) == 1
    with pytest.raises(ValueError, match=r"train_step\(shared='body'\) matches no leaf"):
        nn.train_step(losses, ADAM, weighting=Fixed(), shared="body").update(state, DATA.train)


def test_the_gramian_and_the_rows_make_the_same_step(dtype: np.dtype):
    """Three steps with weights of each leaf: rows side by side, and by the Gramian."""
    losses = nn.task_losses(NET, LOSS)
    rows = jax.tree.map(lambda a: a.astype(dtype) if a.dtype == "float32" else a, DATA.train)
    params = jax.tree.map(lambda a: a.astype(dtype), NET.init(KEY, X[:1]))
    ends = []
    for chunk in (None, 2):
        step = nn.train_step(losses, optax.sgd(0.1), weighting=jr.weightings.UPGrad(), per="leaf", chunk=chunk)
        state = step.init(params, KEY, rows)
        update = jax.jit(step.update)
        for _ in range(3):
            state, _ = update(state, rows)
        ends.append((state.params, state.weighting))
    assert len(ends[0][1]) == 2
    tolerance = {"float32": 1e-5, "float64": 1e-12}[dtype.name]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance), *ends)


def test_a_step_lowers_for_every_platform():
    """Keys enter as numbers: `jax.export` takes no typed ones."""
    step = nn.train_step(nn.task_losses(NET, LOSS), ADAM, weighting=jr.weightings.UPGrad())

    def trained(rows, seed):
        key = jax.random.wrap_key_data(seed)
        state, losses = step.update(step.init(NET.init(key, rows.x[:1]), key, rows), rows)
        return state.params, losses

    shapes = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), (DATA.train, jax.random.key_data(KEY)))
    made = jax.export.export(jax.jit(trained), platforms=("cpu", "cuda", "tpu"))(*shapes)
    assert made.platforms == ("cpu", "cuda", "tpu")


def three(p, batch, key):
    return jnp.stack([jnp.sum((p["trunk"] - c) ** 2) + c * p["head"] for c in (-1.0, 1.0, 4.0)])


def rows_of(params):
    return jax.jacrev(three)(params, None, KEY)


def test_a_rowwise_weighting_combines_the_shared_rows_alone():
    params = {"trunk": jnp.array([0.5, -2.0]), "head": jnp.ones(())}
    rows = jax.tree.map(np.asarray, rows_of(params))
    moved = {}
    for weighting in (jr.weightings.TrimmedMean(), jr.weightings.GradDrop(), jr.weightings.MoCo(track=1.0, rate=1e-9)):
        step = nn.train_step(three, optax.sgd(1.0), weighting=weighting)
        state, _ = step.update(step.init(params, KEY, None), None)
        np.testing.assert_allclose(params["head"] - state.params["head"], 4.0)
        moved[type(weighting).__name__] = np.asarray(params["trunk"] - state.params["trunk"])
    np.testing.assert_allclose(moved["TrimmedMean"], np.sort(rows["trunk"], 0)[1])
    np.testing.assert_allclose(moved["MoCo"], rows["trunk"].mean(0), rtol=1e-6)
    for entry, column in zip(moved["GradDrop"], rows["trunk"].T, strict=True):
        assert np.isclose(entry, [column[column > 0].sum(), column[column < 0].sum()]).any()


def test_memory_of_rows_is_that_of_the_link():
    """Three steps of MoCo in the training step are three of `aggregate`, and seeds train in a vmap."""
    moco, params = jr.weightings.MoCo(), {"trunk": jnp.array([0.5, -2.0]), "head": jnp.ones(())}
    step = nn.train_step(three, optax.sgd(0.1), weighting=moco)
    tx = optax.chain(jr.aggregate(moco, shared="trunk", tasks=3), optax.sgd(0.1))
    state, kept = step.init(params, KEY, None), tx.init(params)
    for _ in range(3):
        state, _ = step.update(state, None)
        rows = rows_of(params)
        updates, kept = tx.update({"trunk": rows["trunk"], "head": rows["head"].sum()}, kept, params)
        params = optax.apply_updates(params, updates)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), state.params, params)
    found = fit(2, weighting=moco)
    assert np.isfinite(found.test).all() and not found.skipped.any()


def test_penalties_smooth_ones_add_and_those_with_kinks_are_links():
    losses, params = nn.task_losses(NET, LOSS), NET.init(KEY, X[:1])
    ridge = 0.5 * jr.Ridge().on("trunk")
    steps = [nn.train_step(losses, optax.sgd(1.0), penalty=p) for p in (None, ridge)]
    plain, shrunk = (s.update(s.init(params, KEY, DATA.train), DATA.train)[0].params for s in steps)
    expected = jax.tree.map(lambda a, p: a - 0.5 * p, plain["trunk"], params["trunk"])
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), shrunk["trunk"], expected)
    with pytest.raises(ValueError, match="last link of tx"):
        nn.train_step(losses, ADAM, penalty=jr.L1())
    tx = optax.chain(optax.sgd(0.1), jr.proximal(5.0 * jr.L2(axis=0).on("trunk/*/kernel"), 0.1))
    sparse = nn.fit(NET, LOSS, DATA, tx, key=KEY, epochs=4, batch_size=9)
    assert not np.any(sparse.last["trunk"]["0"]["kernel"])


def test_strengths_that_nothing_moves_are_told():
    def losses(p, batch, key):
        return 0.5 * (p - 1.0)[None] ** 2

    link = jr.adaptive_proximal(0.1 * jr.L1(), 0.1, optax.identity(), optimizer=optax.sgd(1.0))
    step = nn.train_step(losses, optax.chain(link))
    state = step.init(jnp.ones(()), KEY, None)
    with pytest.raises(ValueError, match=r"call update\(state, batch, validation="):
        step.update(state, None)
    state, _ = step.update(state, None, validation=lambda p: p)
    assert float(state.opt[0].strengths["strength"]) > 0.1
    with pytest.raises(ValueError, match=r"nn\.fit has none"):
        nn.fit(NET, LOSS, DATA, link, key=KEY, epochs=1)
    ruled = jr.adaptive_proximal(
        0.1 * jr.L1(), 0.1, optax.identity(), rule=lambda s, p: {"strength": 2 * s["strength"]}
    )
    step = nn.train_step(losses, ruled)
    state, _ = step.update(step.init(jnp.ones(()), KEY, None), None)
    np.testing.assert_allclose(state.opt.strengths["strength"], 0.2, rtol=1e-6)


def test_an_interrupted_run_goes_on_to_the_same_bits(tmp_path):
    pytest.importorskip("orbax.checkpoint")
    whole = fit(4)
    fit(2, checkpoint=tmp_path)
    resumed = fit(4, checkpoint=tmp_path)
    for name in ("params", "last", "train", "validation", "test", "best"):
        jax.tree.map(np.testing.assert_array_equal, getattr(resumed, name), getattr(whole, name))
    for given, said in (
        ({"key": jax.random.key(9)}, "key"),
        ({"batch_size": 12}, "batch_size"),
        ({"weighting": jr.weightings.UPGrad()}, "weighting"),
        ({"penalty": jr.Ridge()}, "penalty"),
    ):
        with pytest.raises(ValueError, match=f"another run \\(its {said} differs\\)"):
            fit(5, checkpoint=tmp_path, **given)
    other = DATA._replace(train=DATA.train.take(np.arange(36)[::-1]))
    with pytest.raises(ValueError, match="its data differs"):
        nn.fit(NET, LOSS, other, ADAM, key=KEY, seeds=2, epochs=5, batch_size=9, checkpoint=tmp_path)
    with pytest.raises(ValueError, match="do not fit"):
        fit(5, checkpoint=tmp_path, seeds=3)


def test_progress_tells_the_epochs_and_losses_and_what_it_needs(capsys, monkeypatch):
    pytest.importorskip("rich")
    monkeypatch.setenv("COLUMNS", "120")
    quiet = fit()
    assert capsys.readouterr().out == ""
    seen = fit(progress=True)
    told = " ".join(capsys.readouterr().out.split())
    assert "3/3 epochs validation loss by task" in told
    assert all(f"{loss:.4g}" in told for loss in seen.validation[:, -1].mean(0))
    np.testing.assert_array_equal(seen.validation, quiet.validation)
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    with pytest.raises(ModuleNotFoundError, match="progress=True needs rich"):
        fit(progress=True)


def test_a_missing_checkpoint_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="no checkpoint"):
        nn.checkpoint.load(tmp_path / "none", jnp.zeros(2))


def test_splits_are_disjoint_and_whole():
    parts = nn.split(nn.examples(np.arange(40.0)[:, None], np.ones((40, 1))), jax.random.key(3), 0.25, 0.1)
    rows = [np.asarray(part.x)[:, 0] for part in parts]
    assert [len(r) for r in rows] == [26, 10, 4] and sorted(np.concatenate(rows)) == list(range(40))
    with pytest.raises(ValueError, match="every part needs one"):
        nn.split(parts.test, jax.random.key(0), 0.9, 0.1)


def test_a_test_set_of_the_source_stays_whole():
    rows, mask = nn.examples(np.arange(40.0)[:, None], np.ones((40, 1))), np.arange(40) % 5 == 2
    first, other = (nn.split(rows, jax.random.key(seed), test=mask) for seed in (3, 4))
    found = [np.asarray(part.x)[:, 0] for part in first]
    assert [len(r) for r in found] == [24, 8, 8] and sorted(np.concatenate(found)) == list(range(40))
    np.testing.assert_array_equal(np.sort(found[2]), np.flatnonzero(mask))
    assert set(found[1]) != set(np.asarray(other.validation.x)[:, 0])
    for wrong, said in (
        (mask[:-1], "bool of shape \\(39,\\)"),
        (mask.astype(int), "expected a share or one bool"),
        (~mask, "test=a mask of 32 rows leave 0, 8 and 32"),
        (mask & False, "leave 32, 8 and 0"),
    ):
        with pytest.raises(ValueError, match=said):
            nn.split(rows, jax.random.key(0), test=wrong)


def test_bad_rows_are_named():
    for y, mask, said in (
        ({"a": np.ones(59)}, None, "task 'a' has y of shape"),
        ({"a": np.ones(60)}, {"a": np.zeros(60)}, "at least one label"),
        ({"a": np.full(60, np.nan)}, None, "NaN or infinite"),
        ({"a": np.ones(60)}, {"b": np.ones(60)}, "expected those of y"),
        (np.ones(60), None, "dictionary by task"),
    ):
        with pytest.raises(ValueError, match=said):
            nn.examples(X, y, mask)
    with pytest.raises(TypeError, match="expected a Split"):
        nn.fit(NET, LOSS, (X, Y), ADAM, key=KEY)
    with pytest.raises(ValueError, match="batch_size 0, expected at least 1"):
        fit(batch_size=0)
    with pytest.raises(ValueError, match="predicts tasks"):
        nn.task_losses(NET, {"value": jr.Squared()})(NET.init(KEY, X[:1]), DATA.train)
    with pytest.raises(ValueError, match="y is for"):
        nn.task_losses(NET, LOSS)(NET.init(KEY, X[:1]), nn.examples(X, np.ones((60, 2))))


def test_bad_weightings_are_named():
    for weighting, error, said in (
        (jr.weightings.CAGrad(-1.0), ValueError, "radius is -1.0"),
        (jr.weightings.UPGrad, TypeError, r"expected a value such as jaxreg.weightings.UPGrad\(\)"),
    ):
        with pytest.raises(error, match=said):
            fit(weighting=weighting)
        with pytest.raises(error, match=said):
            nn.train_step(three, ADAM, weighting=weighting)


def test_delta_m_has_its_direction_and_sd_its_divisor():
    assert nn.delta_m([1.1, 0.9], [1.0, 1.0], higher=[True, False]) == pytest.approx(10)
    assert nn.delta_m([[1.1, 0.9]], [1.0, 1.0], higher=[False, True])[0] == pytest.approx(-10)
    with pytest.raises(ValueError, match="one number per task"):
        nn.delta_m([1.0], [1.0], higher=[True, False])
    with pytest.raises(ValueError, match="metric of 0"):
        nn.delta_m([1.0], [0.0], higher=[True])
    mean, sd = nn.mean_sd([[1.0, 2.0], [3.0, 2.0]])
    np.testing.assert_allclose([mean, sd], [[2, 2], [np.sqrt(2), 0]])
    assert np.isnan(nn.mean_sd([1.0])[1])
