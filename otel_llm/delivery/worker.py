"""The loop of one delivery: encode, send, rest."""

from __future__ import annotations

import logging
import threading
from collections import deque

from opentelemetry.instrumentation.utils import suppress_instrumentation

from otel_llm.delivery.destination import Destination
from otel_llm.delivery.doorbell import Doorbell
from otel_llm.delivery.encoder import Encoder
from otel_llm.delivery.intake import Intake
from otel_llm.delivery.log_limit import LogLimit
from otel_llm.delivery.sender import Sender

_logger = logging.getLogger(__name__)

#: Most spans encoded between two looks at the sender.
_PIECE = 512
#: Seconds until the next step after a fault of ours.
_AFTER_FAULT_S = 1.0


class FlushRequest:
    """Somebody waits until all spans up to the ordinal ``through`` are settled."""

    def __init__(self, through: int) -> None:
        self.through = through
        #: Nobody waits for the answer any more.
        self.given_up = False
        self._succeeded = False
        self._answered = threading.Event()

    def answer(self, succeeded: bool) -> None:
        """Let the waiting thread go on."""
        self._succeeded = succeeded
        self._answered.set()

    def wait(self, timeout_s: float) -> bool:
        """Whether it succeeded within ``timeout_s`` seconds."""
        self.given_up = not self._answered.wait(max(timeout_s, 0.0))
        return self._succeeded


class Worker:
    """Moves spans from the intake to the destination. All methods but :meth:`request` and :meth:`stop` run on one thread."""

    def __init__(
        self,
        destination: Destination,
        intake: Intake,
        *,
        bell: Doorbell,
        encoder: Encoder,
        sender: Sender,
        log_limit: LogLimit,
        linger_s: float,
    ) -> None:
        self._destination = destination
        self._intake = intake
        self._bell = bell
        self._encoder = encoder
        self._sender = sender
        self._log_limit = log_limit
        self._linger_s = linger_s
        self._asked: deque[FlushRequest] = deque()
        self._waiting: list[FlushRequest] = []
        self._stopping = False
        self._overflow_logged = 0

    def request(self, request: FlushRequest) -> None:
        """Try what is pending now, cutting a wait short once, and answer the request as soon as its answer is known."""
        self._asked.append(request)
        self._bell.ring()

    def stop(self) -> None:
        """End the loop after the current step; what is pending then stays so."""
        self._stopping = True
        self._bell.ring()

    def run(self) -> None:
        """Work until stopped, then close the destination."""
        with suppress_instrumentation():
            wait_s: float | None = None
            while not self._stopping:
                self.rest(wait_s)
                if not self._stopping:
                    wait_s = self._guarded_step()
            self.close()

    def close(self) -> None:
        """Close the destination."""
        try:
            self._destination.close()
        except Exception as error:  # nothing can be done about it at the end
            _logger.debug("%s: closing failed", self._destination.name, exc_info=error)

    def step(self) -> float | None:
        """Encode a piece and try to send one batch. Seconds until there is more to do; None: when a span comes."""
        self._take_requests()
        more = self._encoder.drain(self._sender.backlog, _PIECE)
        if self._sender.due_in_s() == 0.0:
            self._sender.send()
        self._answer_requests()
        self._report_overflow()
        return 0.0 if more else self._sender.due_in_s()

    def rest(self, wait_s: float | None) -> None:
        """Wait for ``wait_s`` seconds or a span; a span is given company for as long as ``linger_s``."""
        if wait_s == 0.0:
            return
        if self._intake.rest() and not self._bell.wait(wait_s):
            self._intake.wake()
            return
        self._intake.wake()
        if not self._asked and not self._stopping:
            self._bell.wait(self._linger_s)

    def _guarded_step(self) -> float | None:
        try:
            return self.step()
        except Exception as error:  # the thread must outlive any fault of ours
            if self._log_limit.due("fault"):
                _logger.warning("%s: a fault in otel-llm itself (%s), going on", self._destination.name, type(error).__name__)
            _logger.debug("%s: fault in a step", self._destination.name, exc_info=error)
            return _AFTER_FAULT_S

    def _take_requests(self) -> None:
        while self._asked:
            self._waiting.append(self._asked.popleft())
            self._sender.cut_wait()

    def _answer_requests(self) -> None:
        """A paused destination has just been tried and will not be soon again, so waiting on would be in vain."""
        oldest = self._sender.oldest
        through = self._encoder.taken if oldest is None else oldest - 1
        waiting, self._waiting = self._waiting, []
        for request in waiting:
            if through >= request.through or self._sender.paused:
                request.answer(through >= request.through)
            elif not request.given_up:
                self._waiting.append(request)

    def _report_overflow(self) -> None:
        """Here rather than where it happens: logging does I/O."""
        overflow = self._intake.overflow
        if overflow > self._overflow_logged and self._log_limit.due("overflow"):
            _logger.warning(
                "%s: the queue is full; %d new span(s) were dropped since the last such line, %d in all. The destination is slower "
                "than the application, or not reachable.",
                self._destination.name,
                overflow - self._overflow_logged,
                overflow,
            )
            self._overflow_logged = overflow
