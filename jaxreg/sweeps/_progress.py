"""What a person sees while a sweep runs: one line, rewritten on a terminal, now and then elsewhere."""

from __future__ import annotations

import sys
import time

EVERY = 10.0
"""Seconds between two lines where no terminal is."""


class Progress:
    """A line with the points done, the time spent and the time that is left; nothing for sweeps of under a second."""

    def __init__(self, shown: bool, total: int, done: int) -> None:
        self.shown, self.total, self.begun, self.first = shown, total, done, time.perf_counter()
        self.live = shown and sys.stderr.isatty()
        self.last, self.wide = self.first, 0

    def report(self, done: int) -> None:
        """Say that so many points are done, if it is time to."""
        now = time.perf_counter()
        if not self.shown or now - self.last < (1.0 if self.live else EVERY):
            return
        self.last, spent = now, now - self.first
        left = spent * (self.total - done) / max(done - self.begun, 1)
        self._write(f"sweep: {done} of {self.total} points, {_clock(spent)}, about {_clock(left)} left")

    def close(self) -> None:
        """End the line."""
        if self.wide:
            self._write(f"sweep: {self.total} points in {_clock(time.perf_counter() - self.first)}")
            if self.live:
                print(file=sys.stderr, flush=True)

    def _write(self, text: str) -> None:
        end = "" if self.live else "\n"
        print(("\r" if self.live else "") + text.ljust(self.wide), end=end, file=sys.stderr, flush=True)
        self.wide = len(text)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
