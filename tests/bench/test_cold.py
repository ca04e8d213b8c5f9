"""The benchmark of new processes: the small size runs, and programs on disk are not made again."""

import json
from pathlib import Path

from bench.__main__ import main


def test_a_fit_in_new_processes(tmp_path: Path):
    assert main(["cold", "--smoke", "--repeats", "1", "--out", str(tmp_path)]) == 0
    made, kept = json.loads((tmp_path / "cold-smoke.json").read_text())["results"]
    assert (made["programs"], kept["programs"]) == ("made", "on disk")
    assert 0 < kept["took"] < made["took"] and kept["whole"] > kept["ready"] + kept["took"]
