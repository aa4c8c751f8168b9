"""Sending batches, and doing what the outcome says."""

from __future__ import annotations

import logging
from collections.abc import Callable

from otel_llm.delivery.backlog import Backlog
from otel_llm.delivery.backoff import Backoff, asked_s
from otel_llm.delivery.destination import Destination
from otel_llm.delivery.intake import Intake
from otel_llm.delivery.interrupts import is_for_the_application
from otel_llm.delivery.log_limit import LogLimit
from otel_llm.delivery.outcomes import Delivered, Outcome, Pause, Reject, Retry, Split
from otel_llm.delivery.parts import Parts
from otel_llm.delivery.reach import Reach

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

    A large batch of which nothing is taken is not given up: the destination pauses. If it takes another batch after that, the first is
    the one at fault, and is given up when its turn comes again.
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
        self._parts: Parts | None = None
        #: Delivered or refused, but the disk did not let it be taken out. What is sent from there meanwhile would be the same.
        self._unsettled: Parts | None = None
        self._settle_at = 0.0
        self._not_before = 0.0
        #: When the time that the destination asked for is over.
        self._asked_until = 0.0
        self._reach = Reach(destination.limits)
        #: Nothing was taken of a batch that was given back; something of another was taken since.
        self._doubted = self._vouched = False
        self.paused = False
        #: When sending must end, in seconds of the clock; set at shutdown.
        self.deadline: float | None = None

    def due_in_s(self) -> float | None:
        """Seconds until the next try, or the next look at the disk; None if there is nothing to do. Forms the next batch."""
        self._settle_again()
        wait_s = max(0.0, self._not_before - self._clock())
        if self._parts is None and not wait_s:
            batch = self._backlog.next_batch(self._reach.limits, from_disk=self._unsettled is None)
            self._parts = None if batch is None else Parts(batch, vouched=self._vouched)
        due_s = wait_s if wait_s or self._parts is not None else None
        if self._unsettled is None:
            return due_s
        settle_s = max(0.0, self._settle_at - self._clock())
        return settle_s if due_s is None else min(due_s, settle_s)

    def cut_wait(self) -> None:
        """Let the next try be due now, whatever backoff or pause there is.

        What the destination itself has asked for is kept to, unless the process ends before that time.
        """
        ends_before = self.deadline is not None and self.deadline <= self._asked_until
        self._not_before = 0.0 if ends_before else min(self._not_before, self._asked_until)
        self._settle_at = 0.0

    def send(self) -> None:
        """Try the oldest part once."""
        parts = self._parts
        if parts is None:
            return
        if not parts.left:
            self._settle(parts)
            return
        part = parts.left[0]
        outcome = self._try(part)
        self.paused = isinstance(outcome, Pause)
        match outcome:
            case Delivered():
                parts.taken()
                self._vouched = self._doubted
                self._answered(parts)
            case Split(reason) if len(part) > 1:
                _logger.debug("%s: a batch of %d is split: %s", self._destination.name, len(part), reason)
                parts.split()
                self._answered(parts)
            case Split(reason) | Reject(reason):
                self._refused(parts, reason)
            case Pause(reason):
                self._pause(parts, reason, turn=self._reach.paused())
            case Retry(reason, after_s):
                self._intake.failed(reason, retries=1)
                self._asked_until = self._clock() + asked_s(after_s)
                self._wait(parts, reason, self._backoff.next_s(after_s), "failed")

    def _try(self, part: tuple[bytes, ...]) -> Outcome:
        timeout_s = self._timeout_s
        if self.deadline is not None:
            timeout_s = min(timeout_s, max(self.deadline - self._clock(), _LEAST_TIMEOUT_S))
        try:
            outcome = self._destination.send(part, timeout_s=timeout_s)
        except BaseException as error:  # it should not raise; as it does, the result is unknown
            if is_for_the_application(error):
                raise
            _logger.debug("%s: sending raised", self._destination.name, exc_info=error)
            return Retry(f"sending raised {type(error).__name__}")
        if isinstance(outcome, Delivered | Retry | Split | Reject | Pause):
            return outcome
        return Retry(f"sending returned {type(outcome).__name__} instead of an outcome")

    def _refused(self, parts: Parts, reason: str) -> None:
        self._reach.refused()
        self._intake.failed(reason)
        parts.refused(reason)
        if not parts.refused_as_a_whole:
            self._answered(parts)
            return
        self._doubted, self._vouched, self.paused = True, False, True
        # Without a disk queue there is no other to tell by, as this one stays the first: the second time it is given up.
        self._parts = anew = Parts(parts.batch, vouched=True)
        self._pause(anew, f"nothing of a batch of {len(parts.batch.bodies)} is taken: {reason}", turn=True)

    def _answered(self, parts: Parts) -> None:
        """The destination has answered for a part, so it is there."""
        self._backoff.reset()
        self._not_before = 0.0
        if not parts.left:
            self._settle(parts)

    def _settle(self, parts: Parts) -> None:
        """Take the batch out of the backlog. If the disk refuses, that is tried again, and the batch not sent again meanwhile."""
        self._parts = None
        if parts.dead and self._log_limit.due("reject"):
            reason = parts.dead[-1][1]
            _logger.warning("%s: %d span(s) were refused for good: %s", self._destination.name, len(parts.dead), reason)
        if parts.nothing_taken:
            self._doubted = self._vouched = False
        self._reach.settled()
        if not self._backlog.settle(parts.batch, parts.dead, self._destination.limits, in_turn=self._reach.is_full):
            self._unsettled, self._settle_at = parts, self._clock() + _SETTLE_AGAIN_S

    def _settle_again(self) -> None:
        parts = self._unsettled
        if parts is None or self._clock() < self._settle_at:
            return
        if self._backlog.settle(parts.batch, parts.dead, self._destination.limits, in_turn=False):
            self._unsettled = None
        else:
            self._settle_at = self._clock() + _SETTLE_AGAIN_S

    def _pause(self, parts: Parts, reason: str, *, turn: bool) -> None:
        self._intake.failed(reason)
        self._wait(parts, reason, PAUSE_S, "paused until it is mended (`otel-llm doctor` tells more)", turn=turn)

    def _wait(self, parts: Parts, reason: str, delay_s: float, what: str, *, turn: bool = False) -> None:
        self._not_before = self._clock() + delay_s
        if self._log_limit.due("pause" if self.paused else "retry"):
            _logger.warning(
                "%s: sending %s: %s. What waits is kept %s; next try in %.1f s.",
                self._destination.name,
                what,
                reason,
                "in memory" if parts.batch.spooled is None else "on disk",
                delay_s,
            )
        if parts.is_whole and self._backlog.give_back(parts.batch, turn=turn):
            self._parts = None
