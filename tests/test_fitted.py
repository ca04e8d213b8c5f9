"""Fitted multi-task models: predictions on raw features, new tasks, and files that come back bit by bit."""

import io
import json
import pickle
import zipfile
from pathlib import Path

import jax
import numpy as np
import pytest
from scipy.cluster import hierarchy

import jaxreg as jr
from jaxreg import multitask_models as mm
from jaxreg._clusters import linked

RNG = np.random.default_rng(0)
IDS = ("oslo", "rome", "empty")


def sample() -> jr.Tasks:
    rng = np.random.default_rng(1)
    given = []
    for m, w in ((9, [1.0, 2.0, 0.0]), (7, [-1.0, 0.5, 0.0]), (0, [0.0, 0.0, 0.0])):
        X = rng.normal(size=(m, 3)) * [1.0, 50.0, 0.1] + [3.0, -20.0, 0.0]
        given.append((X, X @ w + 1.0 + 0.1 * rng.normal(size=m)))
    T = jr.tasks(given)
    return jr.Tasks(T.data, T.weights, IDS)


@pytest.fixture(scope="module")
def fitted() -> jr.FittedTasks:
    """Independent ridge on scaled features, in float64."""
    with jax.enable_x64(True):
        return jr.fit_tasks(mm.independent(0.1 * jr.Ridge()), sample(), standardise=True, tol=1e-12)


def closed_form(T: jr.Tasks, task: int, X: np.ndarray) -> np.ndarray:
    """Predictions of ridge with features standardised over the rows of all tasks."""
    every = np.concatenate(T.ragged(T.data[0]))
    center, scale = every.mean(0), every.std(0)
    A, y = T.ragged(T.data[0])[task], T.ragged(T.data[1])[task]
    A = (A - center) / scale
    mean = A.mean(0)
    B = A - mean
    w = np.linalg.solve(B.T @ B / len(y) + 0.1 * np.eye(3), B.T @ (y - y.mean()) / len(y))
    return ((X - center) / scale - mean) @ w + y.mean()


def test_predictions_are_of_raw_features(fitted: jr.FittedTasks, x64):
    T, X = sample(), RNG.normal(size=(5, 3)) * 10
    for t, name in enumerate(IDS[:2]):
        np.testing.assert_allclose(fitted.predict(X, name), closed_form(T, t, X), rtol=1e-6)
        by_name = np.array([fitted.coefficients()[name][f"x{j}"] for j in range(3)])
        level = fitted.coefficients(["a", "b", "c"])[name]["(intercept)"]
        np.testing.assert_allclose(X @ by_name + level, fitted.predict(X, name), rtol=1e-10)
    each = fitted.predict(X, ["oslo", "rome", "oslo", "rome", "empty"])
    np.testing.assert_allclose(each[:2], [fitted.predict(X, "oslo")[0], fitted.predict(X, "rome")[1]])
    jitted = jax.jit(lambda fit, X: fit.predict(X, "rome"))(fitted, X)
    np.testing.assert_allclose(jitted, fitted.predict(X, "rome"), rtol=1e-12)


def test_new_tasks_are_pooled_or_nearest(fitted: jr.FittedTasks, x64):
    X = RNG.normal(size=(4, 3))
    both = (fitted.predict(X, "oslo") + fitted.predict(X, "rome")) / 2
    np.testing.assert_allclose(fitted.predict_new(X), both)
    few = RNG.normal(size=(3, 3))
    data = few, np.asarray(fitted.predict(few, "rome")) + 0.01
    np.testing.assert_allclose(fitted.predict_new(X, "nearest", data), fitted.predict(X, "rome"))


def test_nearest_is_judged_by_the_tasks_own_loss(x64):
    X, up = np.array([[1.0], [-1.0]]), np.array([1.0, 0.0])
    T = jr.tasks([(X, up), (X, 1 - up)])
    fit = jr.fit_tasks(mm.independent(0.01 * jr.Ridge()), T, jr.Logistic())
    np.testing.assert_allclose(fit.predict_new(X, "nearest", (X, up)), fit.predict(X, 0))


def planted(clusters: int = 2, each: int = 3) -> jr.Tasks:
    """Tasks without noise around a vector for each cluster, and one without rows."""
    rng = np.random.default_rng(3)
    centres, given = 3 * np.eye(4)[:clusters], []
    for t in range(clusters * each):
        X = rng.normal(size=(12, 4))
        given.append((X, X @ (centres[t % clusters] + 0.2 * rng.normal(size=4)) + t % clusters))
    return jr.tasks([*given, (np.zeros((0, 4)), np.zeros(0))])


def test_a_new_task_joins_the_cluster_that_predicts_it(x64):
    fit = jr.fit_tasks(mm.independent(1e-3 * jr.Ridge()), planted())
    few, X = RNG.normal(size=(3, 4)), RNG.normal(size=(5, 4))
    for which in (0, 1):
        data = few, 3 * few[:, which] + which
        own = [fit.predict(X, t) for t in range(which, 6, 2)]
        found = fit.predict_new(X, "cluster", data)
        np.testing.assert_allclose(found, np.mean(own, 0))
        np.testing.assert_allclose(fit.predict_new(X, "cluster", data, clusters=2), found)
        nearest = fit.predict_new(X, "nearest", data)
        np.testing.assert_allclose(fit.predict_new(X, "cluster", data, clusters=6), nearest)
        np.testing.assert_allclose(fit.predict_new(X, "cluster", data, clusters=1), fit.predict_new(X))


def test_clusters_are_those_of_scipy():
    rng = np.random.default_rng(0)
    for tasks, count in ((2, 1), (9, 3), (30, 4), (30, None)):
        x = rng.normal(size=(tasks, 2)) + 9 * rng.integers(0, 3, (tasks, 1))
        apart = np.linalg.norm(x[:, None] - x[None], axis=2)
        tree = hierarchy.linkage(apart[np.triu_indices(tasks, 1)], "average")
        cut = count or tasks - int(np.argmax(np.diff(tree[:, 2], prepend=0.0)))
        theirs = hierarchy.fcluster(tree, cut, "maxclust")
        ours = linked(apart, count)
        assert ((ours[:, None] == ours) == (theirs[:, None] == theirs)).all()
    assert linked(np.zeros((1, 1))).tolist() == [0]


@pytest.mark.parametrize("model", [mm.common_and_own(0.1, 0.5), mm.adaptive(0.2)])
def test_pooled_is_the_common_part_where_there_is_one(model, x64):
    fit, X = jr.fit_tasks(model, planted()), RNG.normal(size=(5, 4))
    expected = X @ fit.parts["common"] + np.mean(fit.intercept[:6])
    np.testing.assert_allclose(fit.predict_new(X), expected)
    assert np.abs(expected - X @ np.mean(fit.coef[:6], 0) - np.mean(fit.intercept[:6])).max() > 1e-3


def test_a_fit_starts_where_another_ended(x64):
    T, how = sample(), {"solver": jr.FISTA(), "standardise": True}
    for model in (mm.dirty(0.2, 0.1), mm.independent(0.1 * jr.L1()), mm.joint_features(0.1, intercept=False)):
        first = jr.fit_tasks(model, T, tol=1e-8, **how)
        assert jr.fit_tasks(model, T, init=first, tol=1e-7, max_steps=1, **how).status == 0
        assert jr.fit_tasks(model, T, tol=1e-7, max_steps=1, on_fail="ignore", **how).status != 0
    factors = mm.factors(1, 0.01, 0.01)
    first = jr.fit_tasks(factors, T, key=jax.random.key(0))
    np.testing.assert_allclose(jr.fit_tasks(factors, T, init=first).coef, first.coef, atol=1e-4)


def test_parts_and_names_are_kept(tmp_path: Path, x64):
    names = ("age", "income", "rooms")
    fit = jr.fit_tasks(mm.dirty(0.2, 0.1), sample(), standardise=True, names=names)
    assert sorted(fit.parts) == ["own", "shared"] and list(fit.coefficients()["oslo"])[:3] == list(names)
    np.testing.assert_allclose(fit.parts["own"] + fit.parts["shared"], fit.coef)
    fit.save(tmp_path / "model")
    read = jr.FittedTasks.load(tmp_path / "model")
    assert read.names == names and read.coefficients() == fit.coefficients()
    for name, part in fit.parts.items():
        assert np.asarray(part).tobytes() == read.parts[name].tobytes()


def test_similarity_is_of_scaled_coefficients(fitted: jr.FittedTasks, x64):
    W = np.asarray(fitted.coef)
    expected = W[0] @ W[1] / np.linalg.norm(W[0]) / np.linalg.norm(W[1])
    found = np.asarray(fitted.similarity())
    np.testing.assert_allclose(found, [[1, expected, 0], [expected, 1, 0], [0, 0, 1]], atol=1e-10)
    relation = np.asarray(fitted.similarity("relation"))
    assert np.trace(relation) == pytest.approx(1)
    gram = W @ W.T
    np.testing.assert_allclose(relation @ relation / np.trace(gram) * np.trace(gram), relation @ relation)
    np.testing.assert_allclose((relation @ relation)[:2, :2] * gram[0, 0] / (relation @ relation)[0, 0], gram[:2, :2])


MODELS = {
    "parts": mm.dirty(0.2, 0.1),
    "common alone": mm.pooled(0.1 * jr.Ridge()),
    "no intercept": mm.pooled(0.1 * jr.Ridge(), intercept=False),
    "stages": mm.capped_features(0.1, 1.0),
    "factors": mm.factors(1, 0.01, 0.01),
}


@pytest.mark.parametrize("name", MODELS)
def test_every_kind_of_model_is_kept(name: str, x64):
    T, model = sample(), MODELS[name]
    fit = jr.fit_tasks(model, T, standardise=True, key=jax.random.key(0))
    assert fit.coef.shape == (3, 3) and fit.intercept.shape == (3,) and fit.status == 0 and fit.gap <= 1e-6
    if name == "parts":
        center, scale = np.asarray(fit.center), np.asarray(fit.scale)
        X = (T.data[0] - center[None, None]) / scale[None, None]
        sol = jr.minimize(model.risk(), model.penalty, model.init((X, T.data[1])), (X, T.data[1]), T.weights)
        again = jr.FittedTasks.of(model, sol, T, center=center, scale=scale)
        np.testing.assert_allclose(again.predict(T.data[0][0], "oslo"), fit.predict(T.data[0][0], "oslo"), rtol=1e-6)


@pytest.mark.parametrize("model", [mm.capped_features(0.1, 1.0), mm.dirty(0.2, 0.1)])
def test_solver_steps_and_what_failure_does_are_passed_on(model, x64):
    how = {"solver": jr.FISTA(), "max_steps": 1, "tol": 1e-12}
    assert jr.fit_tasks(model, sample(), on_fail="ignore", **how).status == jr.Status.MAX_STEPS
    with pytest.raises(RuntimeError, match="did not converge"):
        jr.fit_tasks(model, sample(), on_fail="raise", **how)


@pytest.mark.parametrize(
    "loss", [jr.Squared(), jr.Huber(0.1), jr.per_task([jr.Squared(), jr.Logistic(), jr.Huber(2.0)])]
)
def test_a_file_comes_back_bit_by_bit(loss: jr.Loss, fitted: jr.FittedTasks, tmp_path: Path):
    for ids in (IDS, (3, 1, 2), (0.5, 1.5, -2.0)):
        kept = jr.FittedTasks(**{**vars(fitted), "ids": ids, "loss": loss})
        kept.save(tmp_path / "model")
        read = jr.FittedTasks.load(tmp_path / "model")
        assert read.ids == ids and [type(a) for a in read.ids] == [type(a) for a in ids]
        assert repr(read.loss) == repr(loss)
        for name in ("coef", "intercept", "center", "scale", "counts", "gap", "status"):
            a, b = np.asarray(getattr(kept, name)), np.asarray(getattr(read, name))
            assert a.dtype == b.dtype and a.tobytes() == b.tobytes()
    assert [p.name for p in tmp_path.iterdir()] == ["model"]
    with jax.enable_x64(True):
        X = RNG.normal(size=(4, 3))
        assert np.asarray(read.predict(X, 0.5)).tobytes() == np.asarray(kept.predict(X, 0.5)).tobytes()


def test_other_files_are_refused(fitted: jr.FittedTasks, tmp_path: Path):
    path = tmp_path / "model.npz"
    fitted.save(path)
    good = path.read_bytes()

    def altered(without: str = "", **changes: object) -> bytes:
        with np.load(io.BytesIO(good), allow_pickle=False) as held:
            arrays = {k: held[k] for k in held.files}
        about = {**json.loads(str(arrays.pop("about"))), **changes.pop("about", {})}
        about.pop(without, None)
        out = io.BytesIO()
        np.savez(out, **{**arrays, "about": np.array(json.dumps(about)), **changes})
        return out.getvalue()

    evil = io.BytesIO()
    np.savez(evil, about=np.array([{"format": 1}], dtype=object))
    foreign = io.BytesIO()
    np.savez(foreign, x=np.ones(3))
    empty = io.BytesIO()
    zipfile.ZipFile(empty, "w").close()
    cases = [b"", b"hello", good[: len(good) // 2], good[:-200] + b"\0" * 200, pickle.dumps({"coef": 1})]
    cases += [evil.getvalue(), foreign.getvalue(), empty.getvalue()]
    cases += [altered(about={"version": 3}), altered(about={"names": ["a"]}), altered(**{"part.own": np.array("a")})]
    cases += [altered(about={"format": "other"}), altered(about={"ids": [1, 2]})]
    cases += [altered(about={"loss": {"name": "os", "values": {}}}), altered(coef=np.ones((3, 4))), altered(more=1.0)]
    for case in cases:
        path.write_bytes(case)
        with pytest.raises(ValueError, match=r"is no file of FittedTasks\.save"):
            jr.FittedTasks.load(path)
    with pytest.raises(ValueError, match="update jaxreg"):
        path.write_bytes(altered(about={"version": 3}))
        jr.FittedTasks.load(path)
    path.write_bytes(altered(about={"version": 1}, without="names"))
    assert jr.FittedTasks.load(path).names is None and jr.FittedTasks.load(path).parts == {}
    with pytest.raises(FileNotFoundError, match="no file"):
        jr.FittedTasks.load(tmp_path / "absent")


WRONG = {
    "unknown task": (lambda f: f.predict(np.ones((2, 3)), "bonn"), "task 'bonn' is unknown"),
    "unknown tasks": (lambda f: f.predict(np.ones((2, 3)), ["oslo", "bonn"]), "task 'bonn' is unknown"),
    "too few ids": (lambda f: f.predict(np.ones((2, 3)), ["oslo"]), "1 entries for 2 rows"),
    "features": (lambda f: f.predict(np.ones((2, 4)), "oslo"), r"expected \(rows, 3\)"),
    "a row": (lambda f: f.predict(np.ones(3), "oslo"), r"expected \(rows, 3\)"),
    "how": (lambda f: f.predict_new(np.ones((2, 3)), "mean"), "how is 'mean'"),
    "no data": (lambda f: f.predict_new(np.ones((2, 3)), "nearest"), "with no data"),
    "data": (lambda f: f.predict_new(np.ones((2, 3)), "pooled", (np.ones((1, 3)), np.ones(1))), "with data"),
    "rows": (lambda f: f.predict_new(np.ones((2, 3)), "nearest", (np.ones((1, 3)), np.ones(2))), "expected"),
    "clusters": (
        lambda f: f.predict_new(np.ones((1, 3)), "cluster", (np.ones((1, 3)), np.ones(1)), clusters=3),
        "1 to 2",
    ),
    "init": (lambda f: jr.fit_tasks(mm.dirty(0.1, 0.1), sample(), init=f), "init has no 'own'"),
    "names of a fit": (lambda f: jr.fit_tasks(mm.pooled(jr.L1()), sample(), names=["a", "b"]), "3 distinct names"),
    "names": (lambda f: f.coefficients(["a", "a", "b"]), "3 distinct names"),
    "similarity": (lambda f: f.similarity("angle"), "how is 'angle'"),
    "key": (lambda f: jr.fit_tasks(mm.factors(1, 0.1, 0.1), sample()), "give key="),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named(case: str, fitted: jr.FittedTasks, x64):
    call, message = WRONG[case]
    with pytest.raises(ValueError, match=message):
        call(fitted)


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"loss": jr.risk(jr.linear, lambda z, y: z).loss}, "named losses"), ({"ids": (None,) * 3}, "text")],
)
def test_what_cannot_be_kept_is_refused_and_leaves_nothing(changes, message, fitted: jr.FittedTasks, tmp_path: Path):
    with pytest.raises(TypeError, match=message):
        jr.FittedTasks(**{**vars(fitted), **changes}).save(tmp_path / "model")
    assert not list(tmp_path.iterdir())
