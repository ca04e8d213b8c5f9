"""Live progress: a spinner and a clock per method on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any


@contextmanager
def progress(console: Any, total: int) -> Iterator[Callable[[str], AbstractContextManager[Any]]]:
    """Gives a function `step(name)`, to be used around each of `total` steps."""
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    if not console.is_terminal:
        yield _plain(console, total)
        return
    columns = (
        SpinnerColumn(finished_text="[green]✓"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=20, pulse_style="cyan"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as live:
        whole = live.add_task("methods", total=total)

        @contextmanager
        def step(name: str) -> Iterator[None]:
            task = live.add_task(name, total=None)
            yield
            live.update(task, total=1, completed=1)
            live.advance(whole)

        yield step


def _plain(console: Any, total: int) -> Callable[[str], AbstractContextManager[Any]]:
    done = 0

    @contextmanager
    def step(name: str) -> Iterator[None]:
        nonlocal done
        done += 1
        console.print(f"{done}/{total} {name}", highlight=False)
        yield

    return step
