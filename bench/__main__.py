"""`python -m bench [COMMAND] [--smoke] [--case NAME] ...`: every command is one table."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

import jax

from bench import cold, deep, links, multitask, prox, sweep, tasks
from bench.cases import Case, chosen
from bench.memory import measure
from bench.players import players
from bench.problems import FOLDS, NUM, RATIO
from bench.race import TARGET, Result, race
from bench.table import COLUMNS, cells, kept, report, save, show
from bench.threads import settle

_FOLDS = {"path": (0,), "cv": (FOLDS,), "glm": (0, FOLDS)}


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench", description="Times at equal achieved gap.")
    parser.add_argument(
        "command",
        nargs="?",
        default="path",
        choices=[*_FOLDS, "sweep", "multitask", "tasks", "prox", "deep", "links", "cold"],
    )
    parser.add_argument("--smoke", action="store_true", help="one small case, a few seconds")
    parser.add_argument("--case", metavar="NAME[,NAME]", type=lambda text: text.split(","), help="these cases alone")
    parser.add_argument("--list", action="store_true", help="the names of the cases, and nothing else")
    parser.add_argument("--data", type=Path, metavar="FILE.npz", help="your own X (n, p) and y (n,) instead")
    parser.add_argument("--cifar", type=Path, metavar="FOLDER", help="deep: CIFAR-10 from your folder, alone")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", metavar="DIR")
    parser.add_argument("--repeats", type=int, metavar="N", help="warm runs of each (7; with --smoke 3)")
    parser.add_argument("--gap", type=float, default=TARGET, help="what the judge asks of everybody (1e-6)")
    parser.add_argument("--patience", type=float, metavar="S", help="most seconds of one call (60; large cases 120)")
    parser.add_argument("--memory", action="store_true", help="peak memory too, each player once more in a process")
    several = {"metavar": "PLAYER[,PLAYER]", "type": lambda text: set(text.split(","))}
    parser.add_argument("--only", **several, help="jaxreg and these rivals alone; deep: the baselines and these")
    parser.add_argument("--adelie", metavar="PYTHON", help="a Python that has adelie (or BENCH_ADELIE)")
    parser.add_argument("--threads", type=int, metavar="N", help="threads and processors of everybody (all)")
    given = parser.parse_args(argv)
    given.repeats = given.repeats or (3 if given.smoke else 7)
    if given.repeats < 1:
        parser.error(f"--repeats is {given.repeats}, expected at least 1")
    if given.data is not None and given.command not in _FOLDS:
        parser.error(f"--data is for {', '.join(_FOLDS)}")
    if given.data is not None and not given.data.is_file():
        parser.error(f"there is no file {given.data}")
    if given.cifar is not None and given.command != "deep":
        parser.error("--cifar is for deep")
    if given.cifar is not None and not given.cifar.is_dir():
        parser.error(f"there is no folder {given.cifar}")
    try:
        given.cases = (
            list(chosen(given.command, given.smoke, given.data, given.case)) if given.command in _FOLDS else []
        )
        named = {"tasks": tasks.cases, "multitask": multitask.cases, "deep": partial(deep.cases, cifar=given.cifar)}
        if given.command in named:
            named[given.command](given.smoke, given.case)
    except ValueError as error:
        parser.error(str(error))
    return given


def main(argv: list[str] | None = None) -> int:
    """Run a benchmark; 1 if jaxreg missed the gap or misreported a score, or its prox is not the best point."""
    given = arguments(argv)
    if given.list:
        print("\n".join(f"{case.name} ({case.loss})" for case in given.cases))
        return 0
    if given.command == "deep":
        return deep.main(given.smoke, given.out, given.case, given.only, given.cifar)
    if given.command == "cold":
        return cold.main(given.smoke, given.out, given.repeats)
    if given.command == "links":
        return links.main(given.smoke, given.out, given.repeats)
    with jax.enable_x64(True):
        if given.command == "prox":
            return prox.main(given.smoke, given.out, given.repeats)
        if given.command == "sweep":
            return sweep.main(given.smoke, given.out, given.repeats)
        if given.command == "multitask":
            return multitask.main(given.smoke, given.out, given.repeats, given.case, given.gap)
        if given.command == "tasks":
            return tasks.main(given.smoke, given.out, given.case)
        return paths(given)


def paths(given: argparse.Namespace) -> int:
    """Paths and cross-validations at equal achieved gap, written after every case."""
    found, missing = players(given.adelie)
    wanted = None if given.only is None else {"jaxreg", *given.only}
    able = [player for player in found if wanted is None or player.name in wanted]
    print("\n".join(missing), file=sys.stderr)
    file = given.out / f"{given.command}-{_name(given)}.json"
    title = (
        f"{given.command}: {NUM} strengths, ratio {RATIO:g}, intercept; everybody at a relative gap <= {given.gap:g}"
    )
    results: list[Result] = []
    for case in given.cases:
        if case.file is not None and not case.file.is_file():
            print(f"{case.name} is left out: there is no {case.file}", file=sys.stderr)
            continue
        results += case_results(given, case, able)
        save([kept(one) for one in results], file)
        report(file.with_suffix(".md"), title, COLUMNS, [cells(one) for one in results])
    show(COLUMNS, [cells(one) for one in results], title)
    print(f"written to {file}")
    ours = [one for one in results if one.player == "jaxreg" and not one.verdict.startswith("not supported")]
    return 0 if all(one.reached and one.score_error < 1e-6 for one in ours) else 1


def _name(given: argparse.Namespace) -> str:
    words = [given.data.stem] if given.data is not None else [*(given.case or ["smoke" if given.smoke else "all"])]
    if given.gap != TARGET:
        words.append(f"{given.gap:g}")
    return "-".join(words)


def case_results(given: argparse.Namespace, case: Case, able: list) -> list[Result]:
    """The races of one case, told as they end."""
    results = []
    for folds in _FOLDS[given.command]:
        problem = case.problem(folds)
        there = [player for player in able if problem.loss in player.losses]
        found = race(problem, there, given.repeats, given.gap, given.patience or case.patience)
        if given.memory:
            measure(problem, there, found)
        for one in found:
            print("  ".join(cells(one)), file=sys.stderr, flush=True)
        results += found
    return results


if __name__ == "__main__":
    settle(arguments(None).threads)
    # A compiled program read back from disk would hide what the first call costs.
    jax.config.update("jax_enable_compilation_cache", False)
    sys.exit(main())
