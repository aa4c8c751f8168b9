"""The calls that have not ended yet, so that none stays open for ever.

A response that is kept without being read, or whose client was closed before, ends its call only when it is collected. The oldest
calls are therefore looked at whenever a new one starts, and at shutdown all of them are ended.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Protocol

#: Seconds without an event after which a call counts as abandoned: above the longest time-out in use (10 minutes in the SDKs).
MAX_IDLE_S: Final = 1800.0
#: Calls looked at per start: the sweep costs the application next to nothing and still keeps up.
_LOOKED_AT: Final = 2


class Endable(Protocol):
    """A call, as far as this module needs it."""

    #: When something was last heard of it, by ``time.monotonic()``.
    heard_at: float

    def closed(self) -> None:
        """End it as abandoned, if it has not ended."""


class OpenCalls:
    """Calls that have started and not ended, oldest first."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._calls: OrderedDict[int, Endable] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, call: Endable) -> None:
        """Remember a call, and end some of those that are idle for too long."""
        for idle in self._idle():
            idle.closed()
        with self._lock:
            self._calls[id(call)] = call

    def discard(self, call: Endable) -> None:
        """Forget a call that has ended."""
        with self._lock:
            self._calls.pop(id(call), None)

    def end_all(self) -> None:
        """End all of them as abandoned."""
        with self._lock:
            calls = list(self._calls.values())
        for call in calls:
            call.closed()

    def _idle(self) -> list[Endable]:
        now, idle = self._clock(), []
        with self._lock:
            for _ in range(min(_LOOKED_AT, len(self._calls))):
                key, call = self._calls.popitem(last=False)
                self._calls[key] = call
                if now - call.heard_at > MAX_IDLE_S:
                    idle.append(call)
        return idle
