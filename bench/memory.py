"""Peak memory of one call, in a process of its own: `python -m bench.memory FILE PLAYER TOL FOLDS`."""

from __future__ import annotations

import pickle
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import jax

from bench.players import Player, players
from bench.problems import Problem
from bench.race import Result, timed

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def measure(problem: Problem, able: Sequence[Player], results: Sequence[Result]) -> None:
    """Fill in the peaks of those that were timed; a worker outside of this Python has none."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "problem.pickle"
        path.write_bytes(pickle.dumps(problem))
        for player, result in zip(able, results, strict=True):
            if result.reached and player.name != "adelie":
                words = [sys.executable, "-m", "bench.memory", str(path), player.name, repr(result.tol)]
                done = subprocess.run(words, capture_output=True, text=True, cwd=Path(__file__).parents[1])
                result.peak = float(done.stdout.split()[-1]) if done.returncode == 0 else float("nan")


def _peak() -> float:
    """The largest resident memory since it was last cleared, in MB."""
    lines = _STATUS.read_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def main(path: str, name: str, tol: str) -> None:
    """Print the peak of a first call beyond what data and imports take, in MB; both layouts of X are made before it."""
    problem = pickle.loads(Path(path).read_bytes())
    problem.columns, problem.strengths, problem.masks  # noqa: B018
    player = next(p for p in players()[0] if p.name == name and p.supports(problem))
    with jax.enable_x64(True):
        jax.numpy.zeros(1).block_until_ready()
        _CLEAR.write_text("5")
        before = _peak()
        timed(player, problem, float(tol))
        print(f"{_peak() - before:.1f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
