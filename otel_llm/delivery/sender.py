"""Sending records in order, and doing what the outcome says."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable

from otel_llm.delivery.backoff import Backoff
from otel_llm.delivery.destination import Destination, Limits
from otel_llm.delivery.encoder import Record
from otel_llm.delivery.intake import Intake
from otel_llm.delivery.log_limit import LogLimit
from otel_llm.delivery.outcomes import Delivered, Outcome, Pause, Reject, Retry, Split

_logger = logging.getLogger(__name__)

#: Seconds until a paused destination is tried again.
PAUSE_S = 60.0
#: Least time for a try, in seconds, however near the deadline of the shutdown is.
_LEAST_TIMEOUT_S = 0.05


class Sender:
    """Sends the backlog to one destination, oldest first. Runs on the worker's thread.

    A batch, once formed, stays as it is until its records are delivered or rejected, or split into halves: a retry repeats
    the very same records.
    """

    def __init__(
        self,
        destination: Destination,
        intake: Intake,
        *,
        timeout_s: float,
        clock: Callable[[], float],
        backoff: Backoff,
        log_limit: LogLimit,
    ) -> None:
        self._destination = destination
        self._intake = intake
        self._timeout_s = timeout_s
        self._clock = clock
        self._backoff = backoff
        self._log_limit = log_limit
        #: Parts of the current batch that are still to be sent, in order.
        self._parts: deque[list[Record]] = deque()
        self._not_before = 0.0
        self.backlog: deque[Record] = deque()
        self.paused = False
        #: When sending must end, in seconds of the clock; set at shutdown.
        self.deadline: float | None = None

    @property
    def oldest(self) -> int | None:
        """Ordinal of the oldest record that is not settled."""
        if self._parts:
            return self._parts[0][0].ordinal
        return self.backlog[0].ordinal if self.backlog else None

    def due_in_s(self) -> float | None:
        """Seconds until the next try; None if there is nothing to send."""
        if self.oldest is None:
            return None
        return max(0.0, self._not_before - self._clock())

    def cut_wait(self) -> None:
        """Let the next try be due now, whatever backoff or pause there is."""
        self._not_before = 0.0

    def send(self) -> None:
        """Try the oldest part once, forming a new batch if there is none. There must be something to send."""
        if not self._parts:
            self._parts.append(_next_batch(self.backlog, self._destination.limits))
        part = self._parts[0]
        outcome = self._try(part)
        self.paused = isinstance(outcome, Pause)
        match outcome:
            case Delivered():
                self._delivered(part)
            case Split(reason) if len(part) > 1:
                self._split(part, reason)
            case Split(reason) | Reject(reason):
                self._rejected(part, reason)
            case Pause(reason):
                self._intake.failed(reason)
                self._wait(reason, PAUSE_S, "paused until it is mended")
            case Retry(reason, after_s):
                self._intake.failed(reason, retries=1)
                self._wait(reason, self._backoff.next_s(after_s), "failed")

    def _try(self, part: list[Record]) -> Outcome:
        timeout_s = self._timeout_s
        if self.deadline is not None:
            timeout_s = min(timeout_s, max(self.deadline - self._clock(), _LEAST_TIMEOUT_S))
        try:
            outcome = self._destination.send([record.body for record in part], timeout_s=timeout_s)
        except Exception as error:  # it should not raise; as it does, the result is unknown
            _logger.debug("%s: sending raised", self._destination.name, exc_info=error)
            return Retry(f"sending raised {type(error).__name__}")
        if isinstance(outcome, Delivered | Retry | Split | Reject | Pause):
            return outcome
        return Retry(f"sending returned {type(outcome).__name__} instead of an outcome")

    def _delivered(self, part: list[Record]) -> None:
        self._done()
        self._intake.settle(freed=_size(part), delivered=len(part))

    def _rejected(self, part: list[Record], reason: str) -> None:
        self._done()
        self._intake.settle(freed=_size(part), rejected=len(part))
        self._intake.failed(reason)
        if self._log_limit.due("reject"):
            _logger.warning("%s: %d span(s) rejected, not sent again: %s", self._destination.name, len(part), reason)

    def _split(self, part: list[Record], reason: str) -> None:
        self._done()
        self._intake.failed(reason)
        middle = len(part) // 2
        self._parts.extendleft((part[middle:], part[:middle]))

    def _done(self) -> None:
        """The destination has answered for the oldest part, so it is there."""
        self._parts.popleft()
        self._backoff.reset()
        self._not_before = 0.0

    def _wait(self, reason: str, delay_s: float, what: str) -> None:
        self._not_before = self._clock() + delay_s
        if self._log_limit.due("pause" if self.paused else "retry"):
            _logger.warning(
                "%s: sending %s: %s. %d span(s) are kept in memory; next try in %.1f s.",
                self._destination.name,
                what,
                reason,
                self._intake.pending,
                delay_s,
            )


def _next_batch(backlog: deque[Record], limits: Limits) -> list[Record]:
    """Take the longest run of the oldest records within the limits, but at least one."""
    batch = [backlog.popleft()]
    size = len(batch[0].body)
    while backlog and len(batch) < limits.max_records:
        size += len(backlog[0].body)
        if size > limits.max_bytes:
            break
        batch.append(backlog.popleft())
    return batch


def _size(part: list[Record]) -> int:
    return sum(record.size for record in part)
