"""Compile and run seconds, told apart by listening to JAX's own events."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any

import jax


class Clock:
    """Wall seconds of a block, and how many of them JAX spent tracing, lowering and compiling.

    Nested events overlap, so the seconds are those of the union of their intervals.
    """

    def __enter__(self) -> Clock:
        self._spans: list[tuple[float, float]] = []
        jax.monitoring.register_event_duration_secs_listener(self._listen)
        self._start = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wall = time.perf_counter() - self._start
        jax.monitoring.unregister_event_duration_listener(self._listen)
        self.compile = min(_covered(self._spans), self.wall)
        self.run = self.wall - self.compile

    def _listen(self, event: str, duration_secs: float, **_: Any) -> None:
        if event.startswith("/jax/core/compile/"):
            now = time.perf_counter()
            self._spans.append((now - duration_secs, now))


def _covered(spans: list[tuple[float, float]]) -> float:
    total, reached = 0.0, float("-inf")
    for begin, end in sorted(spans):
        total += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return total
