"""Sweeps: the same as a loop, whatever the batches, the devices and the interruptions; what is refused."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxreg as jr
from devices import run_on_devices
from jaxreg.sweeps import _collect, _progress

RISK = jr.risk(jr.linear, jr.Squared())
STRENGTHS = [0.3, 0.1, 0.03]


def tasks() -> jr.Tasks:
    rng = np.random.default_rng(0)
    pairs = [(rng.normal(size=(m, 3)), rng.normal(size=m)) for m in (6, 9)]
    return jr.tasks([(X, y + X[:, 0]) for X, y in pairs])


def lasso(task: jr.Tasks, strength: jax.Array, seed: jax.Array) -> jr.Solution:
    """A lasso on a bootstrap of one task."""
    rows = jax.random.randint(jax.random.key(seed), task.weights.shape, 0, task.weights.shape[0])
    counts = jnp.zeros_like(task.weights).at[rows].add(1.0)
    weights = jnp.where(task.weights > 0, counts + 0.1, 0.0)
    return jr.minimize(RISK, strength * jr.L1(), jnp.zeros(3, weights.dtype), task.data, weights)


def axes() -> dict[str, object]:
    return {"task": tasks(), "strength": STRENGTHS, "seed": np.arange(4)}


def test_it_is_a_loop_over_the_product(x64):
    found = jr.sweep(lasso, axes(), batch_size=7)
    assert found.names == ("task", "strength", "seed") and found.sizes == {"task": 2, "strength": 3, "seed": 4}
    assert found.results.params.shape == (2, 3, 4, 3) and isinstance(found.results.params, np.ndarray)
    assert (found.results.status == 0).all() and found.results.gap.max() <= 1e-6
    T = tasks()
    for t, s, k in np.ndindex(2, 3, 4):
        alone = lasso(jax.tree.map(lambda x, t=t: x[t], T), jnp.asarray(STRENGTHS[s]), jnp.asarray(k))
        np.testing.assert_allclose(found.results.params[t, s, k], alone.params, rtol=1e-12, atol=1e-13)
        np.testing.assert_array_equal(found.results.params[t, s, k] == 0, np.asarray(alone.params) == 0)
    np.testing.assert_array_equal(found.at(seed=2, task=1).value, found.results.value[1, :, 2])
    np.testing.assert_array_equal(found.at(strength=np.array([2, 0])).value, found.results.value[:, [2, 0]])
    np.testing.assert_array_equal(found.at(strength=slice(1)).params, found.results.params[:, :1])
    assert "2 task x 3 strength x 4 seed" in repr(found)


@pytest.mark.parametrize("size", [1, 5, 24, 1000, None])
def test_batches_change_nothing_and_compile_once(size: int | None, x64):
    traces = []

    def square(a: jax.Array, b: jax.Array) -> jax.Array:
        traces.append(a)
        return a**2 + b

    found = jr.sweep(square, {"a": np.arange(6.0), "b": np.arange(4.0)}, batch_size=size)
    np.testing.assert_array_equal(found.results, np.arange(6.0)[:, None] ** 2 + np.arange(4.0))
    first = len(traces)
    jr.sweep(square, {"a": np.arange(6.0) + 1, "b": np.arange(4.0)}, batch_size=size)
    assert first <= 3 and len(traces) <= first + 1  # the shapes of one point, not of every batch


def test_axes_are_penalties_keys_and_trees_that_vary_together(x64):
    keys = jax.random.split(jax.random.key(0), 3)
    penalties = np.array([0.1, 0.4]) * jr.L1()

    def value(penalty: jr.Penalty, pair: tuple[jax.Array, dict[str, jax.Array]], key: jax.Array) -> jax.Array:
        return penalty.value(pair[0]) + pair[1]["b"] + jax.random.normal(key)

    pairs = (np.arange(6.0).reshape(3, 2), {"b": np.array([5.0, 6.0, 7.0])})
    found = jr.sweep(value, {"penalty": penalties, "pair": pairs, "key": keys})
    expected = np.array([0.1, 0.4])[:, None, None] * pairs[0].sum(1)[:, None] + pairs[1]["b"][:, None]
    np.testing.assert_allclose(found.results, expected + np.asarray([jax.random.normal(k) for k in keys]), rtol=1e-12)


def test_bound_data_are_arguments_of_the_program(x64):
    def fit(data: jax.Array, shift: jax.Array) -> jax.Array:
        return jnp.sum(data) + shift

    for data in (jnp.arange(3.0), jnp.ones(3)):
        found = jr.sweep(jax.tree_util.Partial(fit, data), {"shift": [1.0, 2.0]})
        np.testing.assert_allclose(found.results, 3.0 + np.array([1.0, 2.0]))


def test_a_checkpoint_is_read_by_the_same_sweep_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, x64):
    calls, plain = [], _collect.run
    monkeypatch.setattr(_collect, "run", lambda *given: (calls.append(given), plain(*given))[1])
    folder = tmp_path / "kept"
    first = jr.sweep(lasso, axes(), batch_size=5, checkpoint=folder)
    files = sorted(path.name for path in folder.iterdir())
    assert len(calls) == 5 and files == [*(f"batch-{k:06d}.npz" for k in range(5)), "sweep.json"]
    (folder / files[1]).unlink()
    (folder / files[3]).write_bytes((folder / files[3]).read_bytes()[:50])
    again = jr.sweep(lasso, axes(), batch_size=5, checkpoint=folder)
    assert len(calls) == 7  # one gone, one cut off
    for a, b in zip(jax.tree.leaves(first.results), jax.tree.leaves(again.results), strict=True):
        assert a.dtype == b.dtype and a.tobytes() == b.tobytes()
    others: dict[str, Callable[[], object]] = {
        "program": lambda: jr.sweep(
            lambda task, strength, seed: lasso(task, 2 * strength, seed), axes(), batch_size=5, checkpoint=folder
        ),
        "axes": lambda: jr.sweep(lasso, axes() | {"seed": np.arange(4) + 1}, batch_size=5, checkpoint=folder),
        "batch_size": lambda: jr.sweep(lasso, axes(), batch_size=6, checkpoint=folder),
    }
    for name, other in others.items():
        with pytest.raises(ValueError, match=rf"of another sweep \(its .*{name}"):
            other()
    (folder / "sweep.json").write_text("{")
    with pytest.raises(ValueError, match="of another sweep"):
        jr.sweep(lasso, axes(), batch_size=5, checkpoint=folder)


def test_other_bound_data_are_another_sweep(tmp_path: Path):
    def fit(data: jax.Array, shift: jax.Array) -> jax.Array:
        return jnp.sum(data) + shift

    bound = [jax.tree_util.Partial(fit, jnp.full(3, value)) for value in (1.0, 2.0)]
    jr.sweep(bound[0], {"shift": [1.0, 2.0]}, checkpoint=tmp_path)
    with pytest.raises(ValueError, match="its data differs"):
        jr.sweep(bound[1], {"shift": [1.0, 2.0]}, checkpoint=tmp_path)


SCRIPT = """
import sys, os, json, numpy as np, jax, jaxreg as jr
sys.path.insert(0, {tests!r})
from sweeps.test_sweep import axes, lasso
from jaxreg.sweeps import _store
folder, limit = sys.argv[1], int(sys.argv[2])
plain, written = _store.Store.write, []
def write(self, batch, leaves):
    plain(self, batch, leaves)
    written.append(batch)
    if len(written) == limit:
        os._exit(9)
_store.Store.write = write
found = jr.sweep(lasso, axes(), batch_size=5, checkpoint=folder)
print(json.dumps([len(written), found.results.params.tobytes().hex()]))
"""


@pytest.mark.slow
def test_a_killed_sweep_goes_on_in_another_process(tmp_path: Path):
    script = SCRIPT.format(tests=str(Path(__file__).parent.parent))

    def started(folder: str, limit: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", script, str(tmp_path / folder), str(limit)]
        return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)

    killed, resumed, whole = started("a", 2), started("a", 99), started("b", 99)
    assert killed.returncode == 9 and resumed.returncode == 0, resumed.stderr
    (written, params), (every, expected) = json.loads(resumed.stdout), json.loads(whole.stdout)
    assert (written, every) == (3, 5) and params == expected


DEVICES = """
import sys, numpy as np, jax, jaxreg as jr
sys.path.insert(0, {tests!r})
from sweeps.test_sweep import axes, lasso
from jaxreg.sweeps import _axes, _batches
jax.config.update("jax_enable_x64", True)
assert len(jax.devices()) == 4
one = jr.sweep(lasso, axes(), mesh=jax.sharding.Mesh(np.array(jax.devices()[:1]), ("batch",)))
two = jr.sweep(lasso, axes(), mesh=jax.make_mesh((1, 2), ("a", "b"), devices=jax.devices()[1:3]))
all = jr.sweep(lasso, axes(), batch_size=6)
for other in (two, all):
    np.testing.assert_allclose(one.results.params, other.results.params, rtol=1e-9, atol=1e-10)
    assert (other.results.status == 0).all()
given = _axes.read(axes())
spread = _batches.mesh_of(None)
one = _batches.outlined(jax.tree_util.Partial(lasso), given)
assert _batches.planned(one, len(given), 6, spread) == 8  # 24 points, 4 devices
text = _batches.run.lower(spread, jax.tree_util.Partial(lasso), given, given.points(0, 8)).compile().as_text()
assert "all-reduce" not in text and "num_partitions=4" in text
"""


@pytest.mark.slow
def test_devices_loop_on_their_own():
    run_on_devices(DEVICES, 4)


def test_fits_that_did_not_converge_are_told():
    def short(strength: jax.Array) -> jr.Solution:
        data = (jnp.arange(12.0).reshape(4, 3) % 5, jnp.arange(4.0))
        return jr.minimize(RISK, strength * jr.L1(), jnp.zeros(3), data, solver=jr.ISTA(), max_steps=1)

    with pytest.warns(jr.ConvergenceWarning, match=r"sweep: [12] of 2 fits did not converge"):
        jr.sweep(short, {"strength": [0.1, 1e9]})
    with pytest.raises(RuntimeError, match="did not converge"):
        jr.sweep(short, {"strength": [0.1]}, on_fail="raise")
    assert jr.sweep(short, {"strength": [0.1]}, on_fail="ignore").results.status.shape == (1,)


def test_progress_is_a_line_on_stderr(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_progress, "EVERY", 0.0)
    jr.sweep(lambda x: x + 1, {"x": np.arange(6.0)}, batch_size=2)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("sweep: 2 of 6 points, ") and lines[-1].startswith("sweep: 6 points in ")
    jr.sweep(lambda x: x + 1, {"x": np.arange(6.0)}, batch_size=2, progress=False)
    assert capsys.readouterr().err == ""


BAD: dict[str, tuple[Callable[[], object], type[Exception], str]] = {
    "fit": (lambda: jr.sweep(3, {"a": [1.0]}), TypeError, "fit is int"),
    "no axes": (lambda: jr.sweep(jnp.sin, {}), TypeError, "axes is {}"),
    "a list of axes": (lambda: jr.sweep(jnp.sin, [1.0]), TypeError, "expected a dictionary"),
    "a number": (lambda: jr.sweep(jnp.sin, {"x": 1.0}), ValueError, r"axis 'x' has no leading axis .*it \(\)"),
    "empty": (lambda: jr.sweep(jnp.sin, {"x": []}), ValueError, "at least 1"),
    "unequal": (lambda: jr.sweep(jnp.sin, {"x": (np.ones(2), np.ones(3))}), ValueError, r"0 \(2,\), 1 \(3,\)"),
    "text": (lambda: jr.sweep(jnp.sin, {"x": ["a"]}), TypeError, "axis 'x' has dtype"),
    "batch size": (lambda: jr.sweep(jnp.sin, {"x": [1.0]}, batch_size=0), ValueError, "batch_size is 0"),
    "mesh": (lambda: jr.sweep(jnp.sin, {"x": [1.0]}, mesh=4), TypeError, "mesh is int"),
    "keys": (lambda: jr.sweep(jax.random.key, {"seed": [1]}), TypeError, "fit returns random keys"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named(name: str):
    call, kind, message = BAD[name]
    with pytest.raises(kind, match=message):
        call()
    found = jr.sweep(lambda x: x, {"x": [1.0]})
    with pytest.raises(ValueError, match="no axis 'y'; the axes are x"):
        found.at(y=0)
