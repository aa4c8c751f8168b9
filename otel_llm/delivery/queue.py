"""Delivery in memory: a bounded queue and a worker thread for one destination."""

from __future__ import annotations

import contextlib
import contextvars
import logging
import threading
import time
from collections.abc import Callable

from opentelemetry.sdk.trace import ReadableSpan

from otel_llm.delivery import fork
from otel_llm.delivery.backoff import Backoff
from otel_llm.delivery.destination import Destination
from otel_llm.delivery.doorbell import Doorbell
from otel_llm.delivery.encoder import Encoder
from otel_llm.delivery.intake import Intake
from otel_llm.delivery.log_limit import LogLimit
from otel_llm.delivery.pace import Pace
from otel_llm.delivery.sender import Sender
from otel_llm.delivery.size import span_size
from otel_llm.delivery.stats import Stats
from otel_llm.delivery.worker import FlushRequest, Worker

_logger = logging.getLogger(__name__)

MAX_BYTES = 128 * 1024 * 1024
MAX_SPANS = 20_000
#: Seconds that an idle worker, once it is stopped, may take to close its destination beyond the deadline of a shutdown.
_CLOSE_S = 0.1


class Delivery:
    """Delivers ended spans to one destination, independently of any other.

    ``max_bytes`` and ``max_spans`` bound what waits, encoded or not; a span beyond them is dropped and counted. A span waits
    ``linger_s`` seconds for company; ``timeout_s`` is given to each try of sending. The worker thread starts with the first
    span, and again in a forked child, which begins with an empty queue. ``clock`` and ``sleep`` are for tests.
    """

    def __init__(
        self,
        destination: Destination,
        *,
        max_bytes: int = MAX_BYTES,
        max_spans: int = MAX_SPANS,
        linger_s: float = 0.1,
        timeout_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.destination = destination
        self._max_bytes = max_bytes
        self._max_spans = max_spans
        self._linger_s = linger_s
        self._timeout_s = timeout_s
        self._clock = clock
        self._sleep = sleep
        self._closed = False
        self.start_over()
        fork.register(self)

    def start_over(self) -> None:
        """Begin with an empty queue and no thread. For the constructor and for a forked child."""
        log_limit = LogLimit(self._clock)
        bell = Doorbell()
        self._intake = Intake(max_spans=self._max_spans, max_bytes=self._max_bytes, bell=bell)
        self._sender = Sender(
            self.destination,
            self._intake,
            timeout_s=self._timeout_s,
            clock=self._clock,
            backoff=Backoff(),
            log_limit=log_limit,
        )
        self._worker = Worker(
            self.destination,
            self._intake,
            bell=bell,
            encoder=Encoder(self.destination, self._intake, pace=Pace(sleep=self._sleep), log_limit=log_limit),
            sender=self._sender,
            log_limit=log_limit,
            linger_s=self._linger_s,
        )
        self._thread: threading.Thread | None = None
        self._starting = threading.RLock()
        if self._closed:
            self._intake.refuse()

    def offer(self, span: ReadableSpan) -> bool:
        """Take an ended span; False if it was dropped. Does no I/O, never blocks and never raises."""
        try:
            taken = self._intake.offer(span, span_size(span))
            if self._thread is None and taken:
                self._start_thread()
        except Exception as error:  # this runs inside the application's calls
            _logger.debug("%s: a span could not be queued", self.destination.name, exc_info=error)
            self._intake.drop()
            return False
        return taken

    def hurry(self) -> None:
        """Try what is pending now, without waiting for the outcome. So several deliveries flush at the same time."""
        self._request()

    def flush(self, timeout_s: float = 30.0) -> bool:
        """Wait until every span offered before is delivered, rejected or skipped; True if so within ``timeout_s`` seconds.

        A wait for a retry, and a pause, are cut short once. If the destination then pauses again, False at once.
        """
        request = self._request()
        if request is None:
            return self._intake.pending == 0
        return request.wait(timeout_s)

    def shutdown(self, timeout_s: float = 5.0) -> bool:
        """Take no more spans, flush, end the thread and close the destination, all within ``timeout_s`` seconds.

        True if nothing was left. What is left is dropped and counted. A second call does nothing.
        """
        deadline = self._clock() + timeout_s
        if self._closed:
            return self._intake.pending == 0
        self._closed = True
        self._intake.refuse()
        self._sender.deadline = deadline
        self.flush(timeout_s)
        self._end_thread(deadline)
        left = self._intake.abandon()
        if left:
            _logger.warning(
                "%s: %d span(s) were not delivered before the shutdown and are lost%s. If the destination is reachable, allow the "
                "shutdown more than %.1f s.",
                self.destination.name,
                left,
                f" (last failure: {self.stats.last_error})" if self.stats.last_error else "",
                timeout_s,
            )
        return left == 0

    @property
    def stats(self) -> Stats:
        """What became of the spans so far."""
        return self._intake.stats

    def _request(self) -> FlushRequest | None:
        """None if no thread will answer: there is none, it has ended, or it is the one that asks."""
        if self._intake.pending:
            self._start_thread()
        thread = self._thread
        if thread is None or not thread.is_alive() or thread is threading.current_thread():
            return None
        request = FlushRequest(self._intake.accepted)
        self._worker.request(request)
        return request

    def _start_thread(self) -> None:
        """Start the thread once. It gets an empty context, for the one of the first span's call is not its own."""
        with self._starting:
            if self._thread is not None:
                return
            context = contextvars.Context()
            name = f"otel-llm-{self.destination.name}"
            self._thread = threading.Thread(target=context.run, args=(self._worker.run,), name=name, daemon=True)
            try:
                self._thread.start()
            except RuntimeError as error:  # no more threads, or the interpreter is shutting down
                self._thread = None
                _logger.debug("%s: no thread could be started", self.destination.name, exc_info=error)

    def _end_thread(self, deadline: float) -> None:
        """Have the worker close its destination, which it may be using; without a worker, close it here."""
        self._worker.stop()
        if self._thread is None:
            self._worker.close()
            return
        grace_s = 0.0 if self._intake.pending else _CLOSE_S
        with contextlib.suppress(RuntimeError):  # called on the worker's own thread
            self._thread.join(max(deadline - self._clock(), grace_s))
