"""Which calls are repetitions of one that failed: for clients whose retries do not say so in a header.

A request counts as a repetition if the same body was sent to the same place from within the same span, and failed, a short while ago.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final

#: Seconds after a failure in which the same request counts as its repetition; the longest waits of SDKs are below it.
WINDOW_S: Final = 90.0
_REMEMBERED: Final = 256


class FailedAttempts:
    """The requests that failed last, and how many tries each has had."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tries: OrderedDict[Hashable, tuple[int, float]] = OrderedDict()
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self._tries)

    def failed(self, key: Hashable, tries_before: int) -> None:
        """A request has failed that had been tried ``tries_before`` times."""
        with self._lock:
            self._tries[key] = (tries_before + 1, self._clock())
            self._tries.move_to_end(key)
            if len(self._tries) > _REMEMBERED:
                self._tries.popitem(last=False)

    def before(self, key: Hashable) -> int:
        """How many times this request has just been tried; asking takes the failure off, since the next try stands for it."""
        with self._lock:
            tries, failed_at = self._tries.pop(key, (0, 0.0))
        return tries if tries and self._clock() - failed_at <= WINDOW_S else 0
