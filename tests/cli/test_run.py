"""The comparison end to end: files, exact reproduction, and numbers that can be recomputed from the files."""

import json
from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest

import jaxreg as jr
from jaxreg import multitask_models as mm
from jaxreg.__main__ import main
from jaxreg.cli._named import ALIASES, MIXES, NAMED, chosen, fitting
from jaxreg.cli._problem import prepare
from jaxreg.cli._scale import scale_of
from jaxreg.cli._table import load

SINGLE = ["coefficients.csv", "cv_curves.png", "error_by_task.png", "paths.png", "result.json", "sparsity.png"]
FILES = sorted([*SINGLE, "relation.png"])
METHODS = [
    "pooled",
    "independent ridge",
    "independent lasso",
    "elastic net",
    "joint features",
    "low rank",
    "towards the mean",
]
QUICK = ["--folds", "3", "--strengths", "6"]


def read(out: Path) -> tuple[dict, pd.DataFrame]:
    """result.json and coefficients.csv."""
    return json.loads((out / "result.json").read_text()), pd.read_csv(out / "coefficients.csv", dtype={"task": str})


def design(table: pd.DataFrame, features: list[str]) -> np.ndarray:
    """Columns of the table by the report's names of features, 1 for the intercept."""
    made = {"(intercept)": np.ones(len(table)), **{c: table[c] for c in table if f"{c}" in features}}
    for name in features:
        if "=" in name:
            column, level = name.split("=")
            made[name] = (table[column] == level).astype(float)
    return np.column_stack([made[name] for name in features])


def predictions(table: pd.DataFrame, coefficients: pd.DataFrame, tasks: pd.Series) -> np.ndarray:
    """Linear predictions of one method, each row by its task's coefficients."""
    wide = coefficients.pivot(index="task", columns="feature", values="coefficient")
    return (design(table, list(wide.columns)) * wide.loc[tasks].to_numpy()).sum(1)


def timeless(result: dict) -> dict:
    """A result without what differs from run to run."""
    kept = {k: v for k, v in result.items() if k not in ("seconds", "settings")}
    kept["methods"] = {
        m: {k: v for k, v in n.items() if not k.endswith("_seconds")} for m, n in result["methods"].items()
    }
    return kept


def test_tasks_end_to_end(csv: Path, table: pd.DataFrame, capsys: pytest.CaptureFixture[str]) -> None:
    out = csv.parent / "out"
    words = [str(csv), "--target", "y", "--task", "group", *QUICK, "--out", str(out)]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "Sharing" in said and str(out) in said and all(name in said for name in METHODS)
    assert sorted(p.name for p in out.iterdir()) == FILES
    assert sorted(p.name for p in csv.parent.iterdir()) == ["out", "small.csv"]
    result, coefficients = read(out)
    assert list(result["methods"]) == METHODS and not jax.config.jax_enable_x64

    rows = result["data"]["test_rows"]
    held = table.iloc[rows]
    assert 0.2 < len(rows) / len(table) < 0.3 and sum(result["data"]["held_out_rows"]) == len(rows)
    for name, numbers in result["methods"].items():
        predicted = predictions(held, coefficients[coefficients["method"] == name], held["group"])
        assert np.sqrt(np.mean((held["y"] - predicted) ** 2)) == pytest.approx(numbers["best"]["held_out_error"])
        assert numbers["largest_gap"] <= 1e-6 and numbers["unconverged"] == 0
        assert numbers["fits"] == 6 * 4 * (1 if name == "pooled" else 4)
        assert len(numbers["path"]["strength"]) == 6
    best = min(result["methods"], key=lambda m: result["methods"][m]["cv_error"])
    assert result["winner"] == best

    train = table.drop(index=rows)
    scale = dict(zip(result["data"]["features"], result["data"]["feature_scale"], strict=True))
    mean = dict(zip(result["data"]["features"], result["data"]["feature_mean"], strict=True))
    assert scale["b"] == pytest.approx(train["b"].std(ddof=0)) and mean["b"] == pytest.approx(train["b"].mean())
    assert abs(mean["b"] - table["b"].mean()) > 1e-6

    before = (out / "coefficients.csv").read_bytes()
    assert main(words) == 0
    assert timeless(read(out)[0]) == timeless(result)
    assert (out / "coefficients.csv").read_bytes() == before


def test_named_ways_of_sharing_and_their_mixes(csv: Path, table: pd.DataFrame) -> None:
    out = csv.parent / "out"
    names = "dirty,common_and_own,low_rank"
    words = [str(csv), "--target", "y", "--task", "group", *QUICK, "--sharing", names, "--out", str(out)]
    assert main(words) == 0
    result, coefficients = read(out)
    assert list(result["methods"]) == [*METHODS[:4], "dirty", "common and own", "low rank"]
    held = table.iloc[result["data"]["test_rows"]]
    for name, mixed in (("dirty", True), ("common and own", True), ("low rank", False)):
        numbers = result["methods"][name]
        predicted = predictions(held, coefficients[coefficients["method"] == name], held["group"])
        assert np.sqrt(np.mean((held["y"] - predicted) ** 2)) == pytest.approx(numbers["best"]["held_out_error"])
        assert numbers["largest_gap"] <= 1e-6 and numbers["unconverged"] == 0
        assert numbers["mix"] in MIXES if mixed else numbers["mix"] is None
        assert numbers["fits"] == 6 * 4 * 4 * (len(MIXES) if mixed else 1)
    assert any("share of" in note for note in result["notes"])


def test_ways_of_sharing_go_by_other_names_too() -> None:
    assert chosen("trace,dirty,clustered,low_rank") == ("low_rank", "dirty", "clustered")
    assert chosen("multi_level") == ("root_features",)
    assert set(ALIASES.values()) <= set(NAMED) and not set(ALIASES) & set(NAMED)


def test_what_all_leaves_out_is_said() -> None:
    kept, notes = fitting(chosen("all"), 21, True)
    gone = [name for name in NAMED if name not in kept]
    assert gone == ["convex_clustering", "fused_sparse_group", "temporal"]
    assert len(notes) == 1 and all(name in notes[0] for name in gone) and "up to 20 tasks, there are 21" in notes[0]
    assert fitting(chosen("all"), 20, True) == (tuple(NAMED), ())


@pytest.mark.slow
def test_all_ways_of_sharing_at_once(table: pd.DataFrame, tmp_path: Path) -> None:
    path, out = tmp_path / "tiny.csv", tmp_path / "out"
    table.loc[table["group"] < "g3", ["a", "b", "group", "y"]].iloc[::2].to_csv(path, index=False)
    words = [str(path), "--target", "y", "--task", "group", "--sharing", "all", "--folds", "2", "--strengths", "3"]
    assert main([*words, "--out", str(out)]) == 0
    methods = read(out)[0]["methods"]
    assert len(methods) == 4 + len(NAMED) and sorted(p.name for p in out.iterdir()) == FILES
    assert all(n["unconverged"] == 0 and n["largest_gap"] <= 1e-6 for n in methods.values())


def test_logistic_tasks(table: pd.DataFrame, tmp_path: Path) -> None:
    path, out = tmp_path / "hits.csv", tmp_path / "out"
    table[["a", "b", "group", "hit"]].to_csv(path, index=False)
    words = [str(path), "--target", "hit", "--task", "group", "--loss", "logistic", "--folds", "2", "--strengths", "3"]
    assert main([*words, "--sharing", "joint_features", "--out", str(out)]) == 0
    result, coefficients = read(out)
    held = table.iloc[result["data"]["test_rows"]]
    for name in ("pooled", "joint features"):
        numbers = result["methods"][name]
        score = predictions(held, coefficients[coefficients["method"] == name], held["group"])
        losses = np.logaddexp(0, score) - score * (held["hit"] == "yes")
        assert np.mean(losses) == pytest.approx(numbers["best"]["held_out_error"]) and numbers["unconverged"] == 0


def test_ways_that_are_not_convex(csv: Path, table: pd.DataFrame) -> None:
    out = csv.parent / "out"
    words = [str(csv), "--target", "y", "--task", "group", *QUICK, "--out", str(out)]
    assert main([*words, "--sharing", "factors,capped_features,root_features"]) == 0
    result, coefficients = read(out)
    held = table.iloc[result["data"]["test_rows"]]
    for name in ("factors", "capped features", "root features"):
        numbers, chosen = result["methods"][name], coefficients[coefficients["method"] == name]
        error = np.sqrt(np.mean((held["y"] - predictions(held, chosen, held["group"])) ** 2))
        assert error == pytest.approx(numbers["best"]["held_out_error"])
        assert numbers["largest_gap"] <= 1e-6 and numbers["unconverged"] == 0
    factors = coefficients[coefficients["method"] == "factors"].query("feature != '(intercept)'")
    assert np.linalg.matrix_rank(factors.pivot(index="task", columns="feature", values="coefficient")) <= 3
    assert any("Not convex" in note and "factors" in note for note in result["notes"])


def test_every_named_way_excludes_everything_at_the_top_of_its_path(x64: None, csv: Path) -> None:
    """Beside the intercepts, where it excludes anything; so that mixes begin where their paths do."""
    problem = prepare(load(str(csv), ["y"], "group", "squared", False), "squared", 3, 0.25, 0)
    share = problem.counts / problem.counts.sum()
    scale = scale_of(problem.train.data, problem.train.weights, share, "squared")
    X, y = (np.asarray(a) for a in problem.train.data)
    w = np.asarray(problem.train.weights) / problem.counts[:, None]
    level = (w * y).sum(1)
    for name, named in NAMED.items():
        if named.smooth or name in ("adaptive", "convex_clustering", "temporal", "fused_sparse_group", "factors"):
            continue
        for mix in named.mixes or (0.5,):
            model = named.make(scale, mix)
            if named.fit:  # the first of its stages, at coefficients of 0
                model = mm.TaskModel(model.weights(np.zeros_like(scale.gradient)) * jr.L1())
            top = float(named.grid(scale, 5, mix)[0])
            null = {**model.init(problem.train.data), "intercept": level}
            grad = jax.grad(model.risk(None, share))(null, (X, y), problem.train.weights)
            moved = (1.0001 * top * model.penalty).prox(jax.tree.map(lambda a, g: a - g, null, grad), 1.0)
            assert all((np.asarray(v) == 0).all() for k, v in moved.items() if k != "intercept"), name


def test_several_targets_are_tasks_in_standard_deviations(csv: Path, table: pd.DataFrame) -> None:
    path, out = csv.parent / "targets.parquet", csv.parent / "out"
    table[["a", "b", "c", "y", "z"]].to_parquet(path)
    assert main([str(path), "--target", "y", "z", *QUICK, "--out", str(out)]) == 0
    result, coefficients = read(out)
    assert result["data"]["tasks"] == ["y", "z"] and list(result["methods"]) == METHODS
    held = table.iloc[result["data"]["test_rows"]]
    train = table.drop(index=held.index)
    chosen = coefficients[coefficients["method"] == "low rank"]
    errors = []
    for target in ("y", "z"):
        predicted = predictions(held, chosen, pd.Series([target] * len(held)))
        errors.append((held[target] - predicted) / train[target].std(ddof=0))
    error = np.sqrt(np.mean(np.concatenate(errors) ** 2))
    assert error == pytest.approx(result["methods"]["low rank"]["best"]["held_out_error"])


@pytest.mark.parametrize(("loss", "target"), [("logistic", "hit"), ("huber", "y"), ("poisson", "count")])
def test_other_losses_and_a_single_task(loss: str, target: str, csv: Path, table: pd.DataFrame) -> None:
    path, out = csv.parent / "single.csv", csv.parent / "out"
    table[["a", "b", target]].to_csv(path, index=False)
    assert main([str(path), "--target", target, "--loss", loss, *QUICK, "--out", str(out)]) == 0
    result, coefficients = read(out)
    assert list(result["methods"]) == ["independent ridge", "independent lasso", "elastic net"]
    assert all(n["unconverged"] == 0 for n in result["methods"].values())
    held = table.iloc[result["data"]["test_rows"]]
    ridge = coefficients[coefficients["method"] == "independent ridge"]
    score = predictions(held, ridge, pd.Series([result["data"]["tasks"][0]] * len(held)))
    if loss == "logistic":
        losses = np.logaddexp(0, score) - score * (held[target] == "yes")
    elif loss == "poisson":
        losses = np.exp(score) - held[target] * score
    else:
        r = np.abs(held[target] - score) / result["data"]["target_scale"][0]
        losses = np.where(r <= 1, r**2 / 2, r - 0.5)
    assert np.mean(losses) == pytest.approx(result["methods"]["independent ridge"]["best"]["held_out_error"])


def test_npz_in_single_precision(tmp_path: Path, table: pd.DataFrame) -> None:
    path, out = tmp_path / "arrays.npz", tmp_path / "deep" / "out"
    np.savez(path, X=table[["a", "b"]].to_numpy(), y=table["y"].to_numpy())
    assert main([str(path), *QUICK, "--no-x64", "--out", str(out)]) == 0
    result, _ = read(out)
    assert result["data"]["features"] == ["x0", "x1"] and sorted(p.name for p in out.iterdir()) == SINGLE
    assert all(1e-9 < n["largest_gap"] < 1e-3 for n in result["methods"].values())


def test_npz_with_tasks(x64: None, tmp_path: Path, table: pd.DataFrame) -> None:
    path = tmp_path / "arrays.npz"
    np.savez(path, X=table[["a", "b"]].to_numpy(), y=table["y"].to_numpy(), task=table["group"].to_numpy("U"))
    problem = prepare(load(str(path), [], None, "squared", False), "squared", 3, 0.25, 0)
    assert problem.ids == ("g0", "g1", "g2", "g3") and problem.table.task_column == "task"
    held = problem.folds.sum(0)[np.asarray(problem.train.weights) > 0]
    assert (held == 1).all() and len(held) + len(problem.test_rows) == len(table)
