"""One log line a minute for a fault that repeats."""

from __future__ import annotations

from collections.abc import Callable

#: Seconds between two lines on the same subject.
LOG_INTERVAL_S = 60.0


class LogLimit:
    """Says whether a line on a subject is due. Used by one thread."""

    def __init__(self, clock: Callable[[], float], interval_s: float = LOG_INTERVAL_S) -> None:
        self._clock = clock
        self._interval_s = interval_s
        self._next: dict[str, float] = {}

    def due(self, subject: str) -> bool:
        """True at most once in the interval for each subject."""
        now = self._clock()
        if now < self._next.get(subject, now):
            return False
        self._next[subject] = now + self._interval_s
        return True
