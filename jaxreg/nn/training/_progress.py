"""What a person sees while networks train: a bar and the last validation loss, once per epoch, on the host."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np


@contextmanager
def progress(shown: bool, total: int, done: int) -> Iterator[Callable[[np.ndarray], None]]:
    """Gives a function to be called after every epoch with the validation losses (seeds, tasks)."""
    if not shown:
        yield lambda losses: None
        return
    try:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError('fit: progress=True needs rich: pip install "jaxreg[cli]"') from error
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("epochs {task.description}"), TimeRemainingColumn())
    with Progress(*columns) as live:
        task = live.add_task("", total=total, completed=done)

        def report(losses: np.ndarray) -> None:
            each = " ".join(f"{value:.4g}" for value in np.mean(losses, 0))
            live.update(task, advance=1, description=f"validation loss by task {each}")

        yield report
