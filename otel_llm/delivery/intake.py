"""The bounded queue between the threads that end spans and the worker that delivers them, and the account of every span."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from opentelemetry.sdk.trace import ReadableSpan

from otel_llm.delivery.doorbell import Doorbell
from otel_llm.delivery.stats import Stats


class Arrival(NamedTuple):
    """A span that waits to be encoded, the bytes it is counted with, and when it came, in seconds of the clock."""

    span: ReadableSpan
    size: int
    at_s: float


class Intake:
    """Takes spans from any thread within ``max_spans`` and ``max_bytes``, which also bound what is encoded but not sent.

    The lock is reentrant because a span may end in a finaliser or a signal handler that interrupts an offer; it is never held
    for more than a few assignments.
    """

    def __init__(self, *, max_spans: int, max_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_spans = max_spans
        self._max_bytes = max_bytes
        self._clock = clock
        #: Rung when a span comes while the writer rests.
        self.bell = Doorbell()
        self._lock = threading.RLock()
        self._arrivals: deque[Arrival] = deque()
        self._open = True
        self._resting = False
        self._pending = 0
        self._bytes = 0
        self._delivered = self._rejected = self._dropped = self._skipped = self._spooled = self._retries = 0
        self._last_error: str | None = None
        #: Number of spans taken in; the ordinal of the last of them.
        self.accepted = 0
        #: Number of spans that have left memory.
        self.settled = 0
        #: Number of spans dropped before a shutdown: there was no room.
        self.overflow = 0

    def offer(self, span: ReadableSpan, size: int) -> bool:
        """Take the span if there is room for ``size`` bytes. Never blocks."""
        with self._lock:
            taken = self._open and self._pending < self._max_spans and self._bytes + size <= self._max_bytes
            if taken:
                self._arrivals.append(Arrival(span, size, self._clock()))
                self.accepted += 1
                self._pending += 1
                self._bytes += size
            ring, self._resting = self._resting, False
        if ring:
            self.bell.ring()
        return taken

    def may_fit(self, size: int) -> bool:
        """Whether there may be room for ``size`` bytes some time."""
        return self._open and size <= self._max_bytes

    def refuse(self) -> None:
        """Take no more spans."""
        with self._lock:
            self._open = False

    def drop(self) -> None:
        """Count a span that could not be taken."""
        with self._lock:
            self._dropped += 1
            self.overflow += self._open

    def rest(self) -> bool:
        """Announce that the worker will wait, so that the next offer rings. False if spans are here already."""
        with self._lock:
            self._resting = not self._arrivals
            return self._resting

    def wake(self) -> None:
        """Announce that the worker is at work; offers need not ring."""
        with self._lock:
            self._resting = False

    def take(self) -> Arrival | None:
        """The oldest waiting span. It stays accounted for as pending."""
        return self._arrivals.popleft() if self._arrivals else None

    def age_s(self) -> float:
        """Seconds for which the oldest span has been waiting; 0 if none waits."""
        with self._lock:
            return self._clock() - self._arrivals[0].at_s if self._arrivals else 0.0

    def resize(self, change: int) -> None:
        """Something pending has become larger or smaller by ``change`` bytes."""
        with self._lock:
            self._bytes += change

    def settle(self, *, freed: int, delivered: int = 0, rejected: int = 0, skipped: int = 0) -> None:
        """Pending spans have found their end and free ``freed`` bytes. Ignored for what :meth:`abandon` has counted already."""
        with self._lock:
            if self._pending == 0:
                return
            self._pending -= delivered + rejected + skipped
            self.settled += delivered + rejected + skipped
            self._bytes -= freed
            self._delivered += delivered
            self._rejected += rejected
            self._skipped += skipped

    def spooled(self, *, freed: int, spans: int) -> None:
        """Pending spans are safe on disk and free ``freed`` bytes; what becomes of them is told by the spool."""
        with self._lock:
            if self._pending == 0:
                return
            self._pending -= spans
            self.settled += spans
            self._bytes -= freed
            self._spooled += spans

    def recount(self, *, skipped: int) -> None:
        """Spans that were put on disk in their first form have no record."""
        with self._lock:
            self._spooled -= skipped
            self._skipped += skipped

    def failed(self, reason: str, *, retries: int = 0) -> None:
        """Remember why something failed."""
        with self._lock:
            self._last_error = reason
            self._retries += retries

    def abandon(self) -> int:
        """Count all that is pending as dropped; its number."""
        with self._lock:
            left, self._pending, self._bytes = self._pending, 0, 0
            self._dropped += left
            self._arrivals.clear()
            return left

    @property
    def waiting(self) -> int:
        """Number of spans that nobody has taken yet."""
        return len(self._arrivals)

    @property
    def pending(self) -> int:
        """Number of spans that wait or are being sent."""
        return self._pending

    @property
    def pending_bytes(self) -> int:
        """Approximate bytes of them."""
        return self._bytes

    @property
    def stats(self) -> Stats:
        """The account at this moment."""
        with self._lock:
            counts = self._delivered, self._pending, self._rejected, self._dropped, self._skipped
            received = sum(counts) + self._spooled
            return Stats(received, *counts, spooled=self._spooled, retries=self._retries, last_error=self._last_error)
