"""`python -m bench [lasso | prox | deep] [--smoke] [--data FILE.npz] [--out DIR] [--repeats N]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import jax

from bench import deep, prox
from bench.methods import METHODS, Method
from bench.problems import NUM, RATIO, Problem, problems
from bench.race import TARGET, Result, race
from bench.table import COLUMNS, cells, kept, markdown, save, show

_TITLE = f"lasso with intercept, {NUM} strengths, ratio {RATIO:g}; every method at a relative gap <= {TARGET:g}"


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench", description="Times at equal achieved gap.")
    parser.add_argument("problem", nargs="?", default="lasso", choices=["lasso", "prox", "deep"])
    parser.add_argument("--smoke", action="store_true", help="one small case, a few seconds")
    parser.add_argument("--data", type=Path, metavar="FILE.npz", help="your own X (n, p) and y (n,) instead")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", metavar="DIR")
    parser.add_argument("--repeats", type=int, metavar="N", help="warm runs of each (7; with --smoke 3)")
    given = parser.parse_args(argv)
    given.repeats = given.repeats or (3 if given.smoke else 7)
    if given.repeats < 1:
        parser.error(f"--repeats is {given.repeats}, expected at least 1")
    if given.data is not None and given.problem != "lasso":
        parser.error("--data is for the lasso")
    if given.data is not None and not given.data.is_file():
        parser.error(f"there is no file {given.data}")
    return given


def able(methods: Sequence[Method], problem: Problem, results: Sequence[Result]) -> list[Method]:
    """Those that did not miss the gap on the path of the same case: its folds would take longer still."""
    missed = {
        found.method
        for found in results
        if not found.reached and (found.problem, found.rows, found.features) == (problem.name, *problem.X.shape)
    }
    return [method for method in methods if method.name not in missed]


def main(argv: list[str] | None = None) -> int:
    """Run a benchmark; 1 if jaxreg missed the gap or misreported a score, or its prox is not the best point."""
    given = arguments(argv)
    if given.problem == "prox":
        with jax.enable_x64(True):
            return prox.main(given.smoke, given.out, given.repeats)
    if given.problem == "deep":
        return deep.main(given.smoke, given.out)
    return lasso(given)


def lasso(given: argparse.Namespace) -> int:
    """Paths and cross-validations at equal achieved gap."""
    name = given.data.stem if given.data is not None else "smoke" if given.smoke else "all"
    path = given.out / f"{given.problem}-{name}.json"
    results: list[Result] = []
    with jax.enable_x64(True):
        for problem in problems(given.smoke, given.data):
            for found in race(problem, able(METHODS, problem, results), given.repeats):
                print("  ".join(cells(found)), file=sys.stderr)
                results.append(found)
            save(
                [kept(found) for found in results], path
            )  # after every problem: a run that is stopped leaves what it measured
    lines = [cells(found) for found in results]
    path.with_suffix(".md").write_text(markdown(COLUMNS, lines) + "\n", encoding="utf-8")
    show(COLUMNS, lines, _TITLE)
    print(f"written to {path}")
    ours = [found for found in results if found.method == METHODS[0].name]
    return 0 if all(found.reached and found.score_error < 1e-6 for found in ours) else 1


if __name__ == "__main__":
    # A compiled program read back from disk would hide what the first call costs.
    jax.config.update("jax_enable_compilation_cache", False)
    sys.exit(main())
