"""Long work in small pieces, so that the application's threads get the interpreter in between."""

from __future__ import annotations

import time
from collections.abc import Callable

#: Seconds of work between two yields. An event loop beside a worker that never yields waits for the interpreter's switch
#: interval (5 ms) at each of its system calls; a yield costs about 25 us, so one after each item would be too many.
WORK_S = 250e-6


class Pace:
    """Yields the interpreter lock after each ``WORK_S`` of work. Used by one thread."""

    def __init__(self, *, clock: Callable[[], float] = time.perf_counter, sleep: Callable[[float], None] = time.sleep) -> None:
        self._clock = clock
        self._sleep = sleep
        self._since = clock()

    def breathe(self) -> None:
        """Call between two items of work."""
        if self._clock() - self._since >= WORK_S:
            self._sleep(0)
            self._since = self._clock()
