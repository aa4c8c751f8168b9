"""Sending batches, and doing what the outcome says."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable

from otel_llm.delivery.backlog import Backlog, Batch
from otel_llm.delivery.backoff import Backoff
from otel_llm.delivery.destination import Destination
from otel_llm.delivery.intake import Intake
from otel_llm.delivery.log_limit import LogLimit
from otel_llm.delivery.outcomes import Delivered, Outcome, Pause, Reject, Retry, Split

_logger = logging.getLogger(__name__)

#: Seconds until a paused destination is tried again.
PAUSE_S = 60.0
#: Least time for a try, in seconds, however near the deadline of the shutdown is.
_LEAST_TIMEOUT_S = 0.05
#: Seconds until a delivered batch that could not be taken out of the disk queue is tried to be taken out again.
_SETTLE_AGAIN_S = 1.0


class Sender:
    """Sends the backlog to one destination. Runs on a thread of its own.

    A batch may be split into halves until each of its records is delivered or refused; a retry repeats the very same bytes. As long
    as a destination fails there is one try at a time, so a dead one costs one probe. What is on disk is read anew for each try: the
    disk queue may have dropped it meanwhile, or another process may have taken over.
    """

    def __init__(
        self,
        destination: Destination,
        backlog: Backlog,
        intake: Intake,
        *,
        timeout_s: float,
        clock: Callable[[], float],
        backoff: Backoff,
        log_limit: LogLimit,
    ) -> None:
        self._destination = destination
        self._backlog = backlog
        self._intake = intake
        self._timeout_s = timeout_s
        self._clock = clock
        self._backoff = backoff
        self._log_limit = log_limit
        self._batch: Batch | None = None
        #: Parts of the batch that are still to be sent, in order.
        self._parts: deque[tuple[bytes, ...]] = deque()
        #: Records of the batch that were refused for good, with the reason.
        self._dead: list[tuple[bytes, str]] = []
        self._not_before = 0.0
        self.paused = False
        #: When sending must end, in seconds of the clock; set at shutdown.
        self.deadline: float | None = None

    def due_in_s(self) -> float | None:
        """Seconds until the next try; None if there is nothing to send. Forms the next batch if there is none."""
        wait_s = max(0.0, self._not_before - self._clock())
        if self._batch is None:
            if wait_s:
                return wait_s
            self._batch = self._backlog.next_batch(self._destination.limits)
            if self._batch is None:
                return None
            self._parts.append(self._batch.bodies)
        return wait_s

    def cut_wait(self) -> None:
        """Let the next try be due now, whatever backoff or pause there is."""
        self._not_before = 0.0

    def send(self) -> None:
        """Try the oldest part once. There must be something to send."""
        if not self._parts:
            self._settle()
            return
        part = self._parts[0]
        outcome = self._try(part)
        self.paused = isinstance(outcome, Pause)
        match outcome:
            case Delivered():
                self._done()
            case Split(reason) if len(part) > 1:
                self._split(part, reason)
            case Split(reason) | Reject(reason):
                self._refused(part, reason)
            case Pause(reason):
                self._intake.failed(reason)
                self._wait(reason, PAUSE_S, "paused until it is mended (`otel-llm doctor` tells more)")
            case Retry(reason, after_s):
                self._intake.failed(reason, retries=1)
                self._wait(reason, self._backoff.next_s(after_s), "failed")

    def _try(self, part: tuple[bytes, ...]) -> Outcome:
        timeout_s = self._timeout_s
        if self.deadline is not None:
            timeout_s = min(timeout_s, max(self.deadline - self._clock(), _LEAST_TIMEOUT_S))
        try:
            outcome = self._destination.send(part, timeout_s=timeout_s)
        except Exception as error:  # it should not raise; as it does, the result is unknown
            _logger.debug("%s: sending raised", self._destination.name, exc_info=error)
            return Retry(f"sending raised {type(error).__name__}")
        if isinstance(outcome, Delivered | Retry | Split | Reject | Pause):
            return outcome
        return Retry(f"sending returned {type(outcome).__name__} instead of an outcome")

    def _refused(self, part: tuple[bytes, ...], reason: str) -> None:
        self._dead += [(record, reason) for record in part]
        self._intake.failed(reason)
        if self._log_limit.due("reject"):
            _logger.warning("%s: %d span(s) were refused for good: %s", self._destination.name, len(part), reason)
        self._done()

    def _split(self, part: tuple[bytes, ...], reason: str) -> None:
        _logger.debug("%s: a batch of %d is split: %s", self._destination.name, len(part), reason)
        self._done(settle=False)
        middle = len(part) // 2
        self._parts.extendleft((part[middle:], part[:middle]))

    def _done(self, *, settle: bool = True) -> None:
        """The destination has answered for the oldest part, so it is there."""
        self._parts.popleft()
        self._backoff.reset()
        self._not_before = 0.0
        if settle and not self._parts:
            self._settle()

    def _settle(self) -> None:
        """Take the batch out of the backlog. If the disk refuses, that is tried again, and the batch not sent again meanwhile."""
        if self._batch is not None and not self._backlog.settle(self._batch, self._dead, self._destination.limits):
            self._not_before = self._clock() + _SETTLE_AGAIN_S
            return
        self._batch, self._dead = None, []

    def _wait(self, reason: str, delay_s: float, what: str) -> None:
        self._not_before = self._clock() + delay_s
        if self._log_limit.due("pause" if self.paused else "retry"):
            _logger.warning(
                "%s: sending %s: %s. What waits is kept %s; next try in %.1f s.",
                self._destination.name,
                what,
                reason,
                "in memory" if self._batch is not None and self._batch.spooled is None else "on disk",
                delay_s,
            )
        if self._batch is not None and self._parts[0] is self._batch.bodies and self._backlog.give_back(self._batch):
            self._parts.clear()
            self._batch = None
