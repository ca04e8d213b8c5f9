"""The main job from arguments to files."""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import jax

from jaxreg import plots, report
from jaxreg._cache import enable_compilation_cache
from jaxreg.cli._compare import compare
from jaxreg.cli._compiler import compile_sooner
from jaxreg.cli._errors import InputError, need
from jaxreg.cli._methods import methods
from jaxreg.cli._named import chosen, fitting
from jaxreg.cli._output import output
from jaxreg.cli._problem import prepare
from jaxreg.cli._progress import progress
from jaxreg.cli._table import load

WIDTH = 130


def run(args: argparse.Namespace) -> None:
    """Compare, print the table and write the files. Raises InputError for anything that cannot be used."""
    need("rich", "matplotlib")
    from rich.console import Console

    _check(args)
    names = chosen(args.sharing)
    compile_sooner()
    if args.cache:
        _cache(args.cache)
    console, log = Console(), Console(stderr=True)
    if not console.is_terminal:
        console.width = WIDTH
    start = time.perf_counter()
    table = load(args.source, args.target, args.task, args.loss, args.drop_missing)
    out = Path(args.out or f"jaxreg-{table.name}")
    with output(out) as folder, jax.enable_x64(args.x64):
        problem = prepare(table, args.loss, args.folds, args.test_share, args.seed)
        if args.sharing and len(problem.ids) == 1:
            raise InputError("--sharing is for several tasks, and there is one; give --task or several --target.")
        names, notes = fitting(names, len(problem.ids), args.sharing == "all")
        problem = replace(problem, table=replace(table, notes=(*table.notes, *notes)))
        ways = methods(len(problem.ids), names)
        report.introduce(console, problem)
        with progress(log, len(ways)) as step:
            results = compare(problem, ways, args.strengths, step)
        report.write(folder, problem, results, vars(args), time.perf_counter() - start)
        plots.write(folder, problem, results)
    report.show(console, problem, results, time.perf_counter() - start, out)


def _check(args: argparse.Namespace) -> None:
    rules = (
        (args.folds >= 2, f"--folds is {args.folds}, expected 2 or more."),
        (args.strengths >= 2, f"--strengths is {args.strengths}, expected 2 or more."),
        (0 < args.test_share < 1, f"--test-share is {args.test_share:g}, expected a share between 0 and 1."),
        (args.seed >= 0, f"--seed is {args.seed}, expected 0 or more."),
        (
            args.loss == "squared" or args.source not in ("hsb", "tecator"),
            f"{args.source} goes with squared loss.",
        ),
    )
    for fine, message in rules:
        if not fine:
            raise InputError(message)


def _cache(directory: str) -> None:
    try:
        enable_compilation_cache(directory)
    except OSError as error:
        raise InputError(f"--cache {directory} cannot be used: {error.strerror or error}") from error
