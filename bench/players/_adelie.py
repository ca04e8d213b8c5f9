"""adelie: it wants an older NumPy, so a worker under a Python of its own plays, and times itself."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bench.judge import Answer
from bench.players._player import CPUS, Measured, Player
from bench.problems import Problem, held_out

WORKER = Path(__file__).with_name("_adelie_worker.py")


class _Worker:
    """A process that holds one problem at a time and answers one line of JSON for each line it is sent."""

    def __init__(self, python: str) -> None:
        self.python, self.problem = python, None
        self.process: subprocess.Popen[str] | None = None
        self.folder = tempfile.TemporaryDirectory(prefix="bench-adelie-")
        atexit.register(self.close)

    def ask(self, **question: Any) -> dict[str, Any]:
        """Send a line and wait for one; a wait that is interrupted ends the process."""
        if self.process is None:
            command = [self.python, str(WORKER)]
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdin and self.process.stdout
        try:
            self.process.stdin.write(json.dumps(question) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BaseException:
            self.stop()
            raise
        if not line:
            raise RuntimeError(f"the adelie worker under {self.python} ended with {self.process.wait()}.")
        return json.loads(line)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.process = self.problem = None

    def close(self) -> None:
        self.stop()
        self.folder.cleanup()

    def give(self, problem: Problem) -> None:
        """Hand the data over, unless it has them."""
        if self.process is not None and self.problem is problem:
            return
        path = Path(self.folder.name) / "problem.npz"
        np.savez(
            path,
            X=problem.X,
            y=problem.y,
            masks=problem.masks,
            strengths=problem.strengths,
            loss=np.array(problem.loss),
        )
        self.ask(load=str(path), threads=CPUS)
        self.problem = problem

    def play(self, problem: Problem, tol: float) -> Measured:
        self.give(problem)
        path = Path(self.folder.name) / "answer.npz"
        seconds = self.ask(tol=tol, save=str(path))["seconds"]
        with np.load(path, allow_pickle=False) as found:
            coef, intercept = found["coef"], found["intercept"]
        return Measured(seconds, Answer(coef, intercept, held_out(problem, coef, intercept) if problem.folds else None))


def _reveal(problem: Problem, tol: float, found: Measured) -> Answer:
    return found.answer


def make(python: str | None) -> list[Player]:
    """Raises ImportError where no Python with adelie is named."""
    python = python or os.environ.get("BENCH_ADELIE")
    if not python:
        raise ImportError("adelie is not given: name a Python that has it by --adelie or BENCH_ADELIE")
    asked = subprocess.run([python, str(WORKER), "--version"], capture_output=True, text=True)
    if asked.returncode:
        raise ImportError(f"adelie is not installed under {python}")
    losses = ("squared", "logistic", "poisson")
    return [Player("adelie", asked.stdout.strip(), losses, _Worker(python).play, _reveal, sparse=False)]
