"""Bad input: one clear line, exit code 2, no traceback and nothing written."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from jaxreg.__main__ import main
from jaxreg.cli import _app, _errors
from jaxreg.cli._errors import InputError
from jaxreg.cli._output import output

Words = list[str]


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[Words], str]:
    """Runs the command line, expects a refusal, and gives its one line."""
    folder = tmp_path / "where"
    folder.mkdir()

    def run(words: Words) -> str:
        assert main([*words, *([] if "--out" in words else ["--out", str(folder / "out")])]) == 2
        said = capsys.readouterr().err
        assert said.startswith("jaxreg: ") and said.count("\n") == 1 and "Traceback" not in said
        assert not list(folder.iterdir())
        return said

    return run


def write(path: Path, table: pd.DataFrame, **columns: object) -> str:
    """The table with columns replaced, as a file."""
    table.assign(**columns).to_csv(path, index=False)
    return str(path)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["absent.csv", "--target", "y"], "no such file"),
        (["table.xlsx", "--target", "y"], ".parquet"),
        (["hsb", "--target", "y"], "brings its own"),
        (["hsb", "--loss", "poisson"], "squared"),
        (["hsb", "--folds", "1"], "--folds is 1"),
        (["hsb", "--folds", "two"], "--folds"),
        (["hsb", "--strengths", "1"], "--strengths"),
        (["hsb", "--test-share", "1.5"], "--test-share"),
        (["hsb", "--seed", "-1"], "--seed"),
        (["hsb", "--loss", "zero-one"], "--loss"),
        (["hsb", "--sharing", "rank"], "'rank' is unknown; expected all, or some of adaptive, capped_features"),
        (["hsb", "--sharing", "dirty,"], "'' is unknown"),
        (["hsb", "--sharing", "convex_clustering"], "up to 20 tasks, there are 160"),
        (["hsb", "--folds", "40"], "fewer than the 40 folds"),
    ],
)
def test_arguments(words: Words, expected: str, refused: Callable[[Words], str]) -> None:
    assert expected in refused(words)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "--target is needed"),
        (["--target", "nope"], "no column 'nope'"),
        (["--target", "y", "--task", "nope"], "no column 'nope'"),
        (["--target", "y", "--task", "y"], "twice"),
        (["--target", "y", "--sharing", "dirty"], "--sharing is for several tasks"),
        (["--target", "colour"], "text such as 'blue'"),
        (["--target", "colour", "--loss", "logistic"], "two values"),
        (["--target", "y", "--loss", "logistic"], "needs two"),
        (["--target", "y", "--loss", "poisson"], "counts >= 0"),
        (["--target", "y", "a", "--task", "group"], "several targets"),
        (["--target", "y", "--task", "group", "--folds", "30"], "fewer than the 30 folds"),
    ],
)
def test_columns(words: Words, expected: str, csv: Path, refused: Callable[[Words], str]) -> None:
    assert expected in refused([str(csv), *words])


def test_cells(tmp_path: Path, table: pd.DataFrame, refused: Callable[[Words], str]) -> None:
    path, rows = tmp_path / "bad.csv", len(table)
    kept = table[["a", "b", "group", "y"]]
    cases = {
        "--drop-missing": {"a": kept["a"].where(kept.index > 3)},
        "in row 8": {"a": ["oops" if i == 7 else str(v) for i, v in enumerate(kept["a"])]},
        "levels": {"b": [f"name {i}" for i in range(rows)]},
        "infinite in row 3": {"a": kept["a"].where(kept.index != 2, np.inf)},
        "nothing to predict": {"y": 3.0},
        "one value only": {"group": "g0"},
    }
    for expected, columns in cases.items():
        assert expected in refused([write(path, kept, **columns), "--target", "y", "--task", "group"])
    assert "no feature column" in refused([write(path, kept[["group", "y"]]), "--target", "y", "--task", "group"])
    one_class = kept.assign(hit=np.where(kept["group"] == "g0", "no", table["hit"]))[["a", "group", "hit"]]
    words = [write(path, one_class), "--target", "hit", "--task", "group", "--loss", "logistic", "--folds", "2"]
    assert "task 'g0' lacks rows of both classes" in refused(words)
    assert "has no rows" in refused([write(path, kept.head(0)), "--target", "y"])


def test_unreadable_files(tmp_path: Path, refused: Callable[[Words], str]) -> None:
    broken = {"a.csv": b"", "b.parquet": b"PAR1 no", "c.npz": b"PK no", "d.csv": b"\xff\xfe\x00,\x80\n1"}
    for name, content in broken.items():
        (tmp_path / name).write_bytes(content)
        assert name in refused([str(tmp_path / name), *([] if name == "c.npz" else ["--target", "y"])])


def test_arrays(tmp_path: Path, refused: Callable[[Words], str]) -> None:
    path, X, y = tmp_path / "a.npz", np.ones((9, 2)), np.arange(9.0)
    cases = [
        ({"X": X}, "must hold arrays X and y"),
        ({"X": X, "y": y[:4]}, "expected X (n, p)"),
        ({"X": X, "y": y, "task": y[:4]}, "task (n,)"),
        ({"X": X.astype(str), "y": y}, "expected numbers"),
        ({"X": X, "y": np.where(y > 7, np.nan, y)}, "--drop-missing"),
        ({"X": X, "y": 0 * y}, "nothing to predict"),
    ]
    for arrays, expected in cases:
        np.savez(path, **arrays)
        assert expected in refused([str(path)])
    assert "--target" in refused([str(path), "--target", "y"])


def test_out_that_cannot_be_written(csv: Path, refused: Callable[[Words], str]) -> None:
    blocked = csv.parent / "blocked"
    blocked.write_text("a file")
    for out in (blocked, blocked / "deeper"):
        assert "cannot be written" in refused([str(csv), "--target", "y", "--task", "group", "--out", str(out)])
    assert blocked.read_text() == "a file"


def test_drop_missing_leaves_rows_out(tmp_path: Path, table: pd.DataFrame) -> None:
    path = tmp_path / "holes.csv"
    write(path, table[["a", "b", "y"]], a=table["a"].where(table.index > 3))
    loaded = _app.load(str(path), ["y"], None, "squared", True)
    assert len(loaded.X) == len(table) - 4 and "4 rows" in loaded.notes[0]


def test_a_missing_extra_names_the_install(monkeypatch: pytest.MonkeyPatch, refused: Callable[[Words], str]) -> None:
    monkeypatch.setattr(_errors, "find_spec", lambda name: None)
    assert 'pip install "jaxreg[cli]"' in refused(["hsb"])


def test_a_failure_leaves_nothing_and_old_files_stay(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with output(out) as folder:
        (folder / "result.json").write_text("old")
    with pytest.raises(ZeroDivisionError), output(out) as folder:
        (folder / "result.json").write_text("half")
        raise ZeroDivisionError
    assert [p.name for p in tmp_path.iterdir()] == ["out"] and [p.name for p in out.iterdir()] == ["result.json"]
    assert (out / "result.json").read_text() == "old"
    with pytest.raises(InputError), output(out / "result.json"):
        pass
