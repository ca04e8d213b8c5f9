"""The command line: `python -m jaxreg [hsb | tecator | FILE --target y]`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from jaxreg.cli._app import run
from jaxreg.cli._errors import InputError
from jaxreg.cli._named import ALIASES, DEFAULT, NAMED

_ABOUT = """Compare ways of sharing between tasks: one pooled model, independent ridge, lasso and elastic net, and by
default joint features, low rank, and shrinkage towards the tasks' mean; --sharing names others. Each is cross-validated
over a path of strengths on the same folds, then judged on the same held-out rows; a way of sharing with two strengths
is tried at three mixes of them. graph couples all pairs of tasks alike; temporal and fused_sparse_group take the tasks
in the sorted order of their ids, several targets in the order given. Within a method all tasks use one strength;
"independent" means that nothing couples them. Intercepts are each task's own and free, but "towards the mean" shrinks
them too. Several targets are one task each. Tables, plots and coefficients are written to --out."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; see jaxreg --help.")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser("jaxreg", description=_ABOUT)
    add = parser.add_argument
    add(
        "source",
        nargs="?",
        default="hsb",
        metavar="hsb|tecator|FILE",
        help=".csv, .parquet or .npz (X, y[, task])",
    )
    add("--target", nargs="+", default=[], metavar="COLUMN", help="what to predict; several are one task each")
    add("--task", metavar="COLUMN", help="column that says which task a row belongs to")
    add("--loss", default="squared", choices=("squared", "logistic", "huber", "poisson"))
    add(
        "--sharing",
        metavar="NAME[,NAME]|all",
        help=f"the ways of sharing, by the names of jaxreg.multitask_models (default {','.join(DEFAULT)}): "
        + ", ".join(NAMED)
        + "; "
        + ", ".join(f"{alias} is {name}" for alias, name in ALIASES.items()),
    )
    add("--folds", type=int, default=5, help="folds of the cross-validation, within each task (5)")
    add("--strengths", type=int, default=60, help="strengths on each path (60)")
    add("--test-share", type=float, default=0.25, help="share of each task's rows held out for the end (0.25)")
    add("--seed", type=int, default=0, help="of the held-out rows and the folds (0)")
    add("--out", metavar="DIR", help="where files are written (jaxreg-NAME)")
    add("--drop-missing", action="store_true", help="leave out rows with missing cells")
    add("--x64", action=argparse.BooleanOptionalAction, default=True, help="compute in 64 bits (yes)")
    add("--cache", metavar="DIR", default=os.environ.get("JAXREG_CACHE"), help="keep compiled programs in DIR")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, or 2 for input that cannot be used."""
    try:
        run(_parser().parse_args(argv))
    except InputError as error:
        print(f"jaxreg: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("jaxreg: stopped; nothing was written.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
