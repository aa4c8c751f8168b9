"""The way of an ended span to one destination: a bounded queue, a thread that encodes and stores, and one that sends."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace

from opentelemetry.sdk.trace import ReadableSpan

from otel_llm.delivery import fork, running
from otel_llm.delivery.backlog import Backlog
from otel_llm.delivery.backoff import Backoff
from otel_llm.delivery.catching_up import CatchingUp
from otel_llm.delivery.destination import Destination, SupportsDeferral, destination_key
from otel_llm.delivery.encoder import Encoder
from otel_llm.delivery.encoding_faults import EncodingFaults
from otel_llm.delivery.flush import FlushRequest
from otel_llm.delivery.intake import Intake
from otel_llm.delivery.log_limit import LogLimit
from otel_llm.delivery.pace import Pace
from otel_llm.delivery.sender import Sender
from otel_llm.delivery.sending import Sending
from otel_llm.delivery.size import span_size
from otel_llm.delivery.spool.access import Spool, SpoolSettings
from otel_llm.delivery.spool.disk import Overflow
from otel_llm.delivery.stats import Stats
from otel_llm.delivery.writer import Writer

_logger = logging.getLogger(__name__)

MAX_BYTES = 128 * 1024 * 1024
MAX_SPANS = 20_000
#: Seconds for one request.
SEND_TIMEOUT_S = 10.0
#: Seconds that a span which ends while the queue is full waits for room before it is dropped.
FULL_WAIT_S = 0.5
#: The same where the disk queue is to hold up the application rather than to lose anything.
BLOCK_WAIT_S = 1.0
#: Seconds that idle threads, once they are stopped, may take to clean up beyond the deadline of a shutdown, and that a disk that is in
#: use is waited for.
_CLOSE_S = 0.1
#: Seconds for which what is pending is stored on the calling thread, where no other can be started and nobody is to wait.
_HURRY_S = 1.0
_ROOM_LOOK_S = 0.001
#: Seconds for which a span waits at most while the writer makes room.
_LONGEST_WAIT_S = 2.0

#: Open files that a forked child inherited. SQLite forbids to use them there, and to close them.
_inherited: list[object] = []


class Delivery:
    """Delivers ended spans to one destination, independently of any other.

    ``max_bytes`` and ``max_spans`` bound what waits in memory; a span beyond them waits ``full_wait_s`` seconds for room and is then
    dropped and counted. With ``spool``, what is encoded waits on disk, if the destination has a ``spool_key``; a process that comes
    later delivers what this one could not. A span waits ``linger_s`` seconds for company; ``timeout_s`` is given to each try of
    sending. The threads start with the first span, and again in a forked child, which begins with an empty queue. ``clock`` and
    ``sleep`` are for tests.
    """

    def __init__(
        self,
        destination: Destination,
        *,
        spool: SpoolSettings | None = None,
        max_bytes: int = MAX_BYTES,
        max_spans: int = MAX_SPANS,
        full_wait_s: float | None = None,
        linger_s: float = 0.02,
        timeout_s: float = SEND_TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.destination = destination
        self._spool_settings = spool
        self._max_bytes = max_bytes
        self._max_spans = max_spans
        self._blocks = blocks = spool is not None and spool.overflow is Overflow.BLOCK
        self._full_wait_s = (BLOCK_WAIT_S if blocks else FULL_WAIT_S) if full_wait_s is None else full_wait_s
        #: Number of spans that had left memory when a wait for room was last in vain.
        self._stuck_at = -1
        self._linger_s = linger_s
        self._timeout_s = timeout_s
        self._clock = clock
        self._sleep = sleep
        self._closed = False
        self._start_afresh()
        fork.register(self)
        running.began(self)

    def hold_still(self, timeout_s: float) -> bool:
        """Keep all threads out of SQLite while this process forks: a lock of SQLite's that one of them held would stay locked."""
        return self.spool is not None and self.spool.lock.acquire(timeout=timeout_s)

    def go_on(self) -> None:
        """Let the threads use SQLite again."""
        if self.spool is not None:
            self.spool.lock.release()

    def start_over(self) -> None:
        """Begin with an empty queue and no threads, in a forked child."""
        if self.spool is not None:
            _inherited.append(self.spool.abandon())
        self._start_afresh()

    def _start_afresh(self) -> None:
        log_limit = LogLimit(self._clock)
        self.spool = self._new_spool(log_limit)
        self._intake = intake = Intake(max_spans=self._max_spans, max_bytes=self._max_bytes, clock=self._clock)
        backlog = Backlog(intake, self.spool, log_limit)
        self._sender = Sender(
            self.destination,
            backlog,
            intake,
            timeout_s=self._timeout_s,
            clock=self._clock,
            backoff=Backoff(),
            log_limit=log_limit,
        )
        self._sending = Sending(self.destination, backlog, self._sender, log_limit)
        pace = Pace(sleep=self._sleep)
        self._encoder = Encoder(self.destination, intake, pace=pace, log_limit=log_limit, clock=self._clock)
        self._writer = Writer(
            self.destination.name,
            intake,
            encoder=self._encoder,
            backlog=backlog,
            catching_up=self._new_catching_up(pace, log_limit),
            log_limit=log_limit,
            linger_s=self._linger_s,
            passed_on=self._sending.passed_on,
        )
        if self._closed:
            intake.refuse()

    def _new_catching_up(self, pace: Pace, log_limit: LogLimit) -> CatchingUp | None:
        """None where nothing can be put off: there is no disk queue, or the destination knows no first form."""
        if self.spool is None or not isinstance(self.destination, SupportsDeferral):
            return None
        faults = EncodingFaults(self.destination.name, self._intake, log_limit)
        return CatchingUp(self.destination, self._intake, self.spool, faults=faults, pace=pace, clock=self._clock)

    def _new_spool(self, log_limit: LogLimit) -> Spool | None:
        key = destination_key(self.destination)
        if self._spool_settings is None or key is None:
            return None
        return Spool(self._spool_settings, key, log_limit=log_limit, clock=self._clock)

    def open(self) -> None:
        """Start delivering what earlier processes have left on disk."""
        if self.spool is not None and not self._closed:
            self._sending.passed_on(None)
            self._writer.start()
            self._writer.bell.ring()

    def offer(self, span: ReadableSpan) -> bool:
        """Take an ended span; False if it was dropped. Does no I/O, never raises, and waits only while the queue is full."""
        try:
            size = span_size(span)
            taken = self._intake.offer(span, size) or self._offer_again(span, size)
            if taken:
                self._writer.start()
            else:
                self._intake.drop()
        except Exception as error:  # this runs inside the application's calls
            _logger.debug("%s: a span could not be queued", self.destination.name, exc_info=error)
            self._intake.drop()
            return False
        return taken

    def _offer_again(self, span: ReadableSpan, size: int) -> bool:
        """Wait for room, unless this is one of the threads that make room, or there never will be.

        While spans leave memory, room is near, and waiting on is better than losing the span. Once a wait was in vain, nobody waits
        until spans leave again: a queue that is stuck holds up the application once, not at each span, unless it is to block.
        """
        stuck = self._intake.settled == self._stuck_at and not self._blocks
        if stuck or self._writer.is_me or self._sending.is_me:
            return False
        now, seen = time.monotonic(), self._intake.settled
        deadline, last = now + self._full_wait_s, now + _LONGEST_WAIT_S
        while self._intake.may_fit(size) and now < min(deadline, last):
            self._writer.start()
            time.sleep(_ROOM_LOOK_S)
            if self._intake.offer(span, size):
                return True
            now = time.monotonic()
            if self._intake.settled != seen:
                seen, deadline = self._intake.settled, now + self._full_wait_s
        self._stuck_at = self._intake.settled if now < last else -1
        return False

    def hurry(self) -> None:
        """Try what is pending now, without waiting for the outcome. So several deliveries flush at the same time."""
        self._store_soon(self._clock() + _HURRY_S)

    def flush(self, timeout_s: float = 30.0) -> bool:
        """Wait until every span offered before is delivered, rejected or skipped; True if so within ``timeout_s`` seconds.

        A wait for a retry, and a pause, are cut short once. If the destination then pauses again, False at once.
        """
        request = self._request()
        if request is None:
            return self.stats.pending == 0
        return request.wait(timeout_s)

    def store(self, timeout_s: float) -> bool:
        """Wait until every span offered before is on disk, within ``timeout_s`` seconds; without a disk queue, as :meth:`flush`."""
        if self.spool is None:
            return self.flush(timeout_s)
        request = self._store_soon(self._clock() + timeout_s)
        return self._intake.pending == 0 if request is None else request.wait_stored(timeout_s)

    def shutdown(self, timeout_s: float = 5.0) -> bool:
        """Take no more spans, store them, send what can be sent, end the threads and close the destination, in ``timeout_s`` seconds.

        True if nothing is lost: all is delivered, or on disk for the next process. What is left in memory is dropped and counted. A
        second call does nothing.
        """
        deadline = self._clock() + timeout_s
        if self._closed:
            return self._intake.pending == 0
        self._closed = True
        running.ended(self)
        self._intake.refuse()
        self._sender.deadline = deadline
        self._finish_work(deadline)
        on_disk = self._on_disk(deadline)
        self._writer.stop(deadline - self._clock())
        idle = on_disk == 0 and not self._intake.pending
        self._sending.stop(max(deadline - self._clock(), _CLOSE_S if idle else 0.0))
        left = self._intake.abandon()
        self._report(left, on_disk, timeout_s)
        return left == 0

    def _finish_work(self, deadline: float) -> None:
        """Store and send until ``deadline``: by the threads, or here where none can be started any more."""
        request = self._store_soon(deadline)
        if request is not None:
            request.wait_stored(deadline - self._clock())
            self._sending.start()
        if not self._sending.alive:
            self._sending.work_here(deadline, self._clock)
        elif request is not None:
            request.wait(deadline - self._clock())

    def _store_soon(self, deadline: float) -> FlushRequest | None:
        """Try the disk again, and have the writer store what is pending; None if that was done here, or is not possible."""
        if self.spool is not None and self.spool.lock.acquire(timeout=_CLOSE_S):
            self.spool.retry_now()
            self.spool.lock.release()
        request = self._request()
        if self._intake.pending and not self._writer.alive:
            self._writer.work_here(deadline, self._clock)
        return request

    def _on_disk(self, deadline: float) -> int | None:
        """Number of this process's spans on disk; None if that is not known in time, as the disk holds up another thread."""
        if self.spool is None:
            return 0
        if not self.spool.lock.acquire(timeout=max(0.0, deadline - self._clock())):
            return None
        try:
            return self.spool.waiting()
        finally:
            self.spool.lock.release()

    def _report(self, lost: int, on_disk: int | None, timeout_s: float) -> None:
        if on_disk:
            _logger.info(
                "%s: %d span(s) wait on disk; the next process that delivers there sends them, or `otel-llm spool drain`",
                self.destination.name,
                on_disk,
            )
        if lost:
            _logger.warning(
                "%s: %d span(s) were not delivered before the shutdown and are lost%s. If the destination is reachable, allow the "
                "shutdown more than %.1f s.",
                self.destination.name,
                lost,
                f" (last failure: {reason})" if (reason := self._intake.stats.last_error) else "",
                timeout_s,
            )

    @property
    def stats(self) -> Stats:
        """What became of the spans so far."""
        stats = replace(self._intake.stats, stripped=self._encoder.stripped)
        if self.spool is None or not stats.spooled:
            return stats
        written, waiting, losses = self.spool.fate()
        dead, dropped = losses.pop("dead", 0), sum(losses.values())
        return replace(
            stats,
            pending=stats.pending + waiting,
            rejected=stats.rejected + dead,
            dropped=stats.dropped + dropped,
            delivered=stats.delivered + max(0, written - waiting - dead - dropped),
        )

    @property
    def losses(self) -> dict[str, int]:
        """Number of spans that were dropped, by reason.

        Their sum is ``stats.dropped``, but for those "of other processes", which this one has dropped from the disk queue of all.
        """
        here, overflow = self._intake.stats, self._intake.overflow
        found = {"queue full": overflow, "shut down": here.dropped - overflow}
        if self.spool is not None and here.spooled:
            found |= {f"disk queue: {reason}": spans for reason, spans in self.spool.fate()[2].items() if reason != "dead"}
        if self.spool is not None:
            others = self.spool.dropped_of_others()
            found |= {f"disk queue: {reason}, of other processes": spans for reason, spans in others.items()}
        return {reason: spans for reason, spans in found.items() if spans}

    @property
    def in_memory(self) -> tuple[int, int]:
        """Number of spans that are in memory, to be encoded, stored or sent, and their approximate bytes."""
        return self._intake.pending, self._intake.pending_bytes

    def _request(self) -> FlushRequest | None:
        """None if no thread will answer: there is none, it has ended, or it is one of those that ask."""
        if self._intake.pending:
            self._writer.start()
        if not self._writer.alive or self._writer.is_me or self._sending.is_me:
            return None
        request = FlushRequest(self._intake.accepted)
        self._writer.request(request)
        return request
