"""The persistent compilation cache: a second process compiles nothing anew; a directory open to others is refused."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import jaxreg as jr

FIT = """
import sys, numpy as np, jaxreg as jr
print(jr.enable_compilation_cache(sys.argv[1]))
X = np.eye(3, dtype="float32")
jr.minimize(jr.risk(jr.linear, jr.Squared()), 0.1 * jr.L1(), np.zeros(3), (X, X[0]))
"""


def test_a_second_process_finds_every_program(tmp_path: Path):
    env = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_COMPILATION", "JAX_PERSIST"))}
    kept: list[set[str]] = []
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", FIT, str(tmp_path / "kept")], env=env, text=True, check=True,
                              capture_output=True)  # fmt: skip
        kept.append({file.name for file in Path(done.stdout.strip()).iterdir() if file.name.endswith("-cache")})
    assert kept[0] and kept[1] == kept[0]


def test_a_directory_that_others_may_write_to_is_refused(tmp_path: Path):
    tmp_path.chmod(0o777)
    with pytest.raises(PermissionError, match="chmod 700"):
        jr.enable_compilation_cache(tmp_path)
