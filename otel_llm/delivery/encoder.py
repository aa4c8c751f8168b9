"""From waiting spans to records, in small pieces."""

from __future__ import annotations

import logging
from collections import deque
from typing import NamedTuple

from opentelemetry.sdk.trace import ReadableSpan

from otel_llm.delivery.destination import Destination
from otel_llm.delivery.intake import Intake
from otel_llm.delivery.log_limit import LogLimit
from otel_llm.delivery.pace import Pace
from otel_llm.delivery.size import RECORD_OVERHEAD

_logger = logging.getLogger(__name__)


class Record(NamedTuple):
    """An encoded span, and its place in the order of acceptance, from 1."""

    ordinal: int
    body: bytes

    @property
    def size(self) -> int:
        """Bytes that it is counted with while it waits."""
        return len(self.body) + RECORD_OVERHEAD


class Encoder:
    """Turns spans into records of one destination. Runs on the worker's thread; a span that cannot be encoded is rejected."""

    def __init__(self, destination: Destination, intake: Intake, *, pace: Pace, log_limit: LogLimit) -> None:
        self._destination = destination
        self._intake = intake
        self._pace = pace
        self._log_limit = log_limit
        #: Ordinal of the last span taken out of the intake.
        self.taken = 0

    def drain(self, backlog: deque[Record], at_most: int) -> bool:
        """Encode up to ``at_most`` waiting spans into ``backlog``. True if that many were there, so there may be more."""
        for _ in range(at_most):
            arrival = self._intake.take()
            if arrival is None:
                return False
            self.taken += 1
            body = self._encode(arrival.span, arrival.size)
            if body is not None:
                record = Record(self.taken, body)
                self._intake.resize(record.size - arrival.size)
                backlog.append(record)
            self._pace.breathe()
        return True

    def _encode(self, span: ReadableSpan, size: int) -> bytes | None:
        try:
            body = self._destination.encode(span)
        except Exception as error:  # noqa: BLE001  (a destination's fault with one span must not end the delivery)
            self._reject(error, size)
            return None
        if body is None:
            self._intake.settle(freed=size, skipped=1)
        return body

    def _reject(self, error: Exception, size: int) -> None:
        """The message of the exception may quote the span, so it is logged at DEBUG only."""
        reason = f"a span could not be encoded ({type(error).__name__})"
        self._intake.settle(freed=size, rejected=1)
        self._intake.failed(reason)
        if self._log_limit.due("encode"):
            _logger.warning(
                "%s: %s and is left out; the others are delivered. The traceback is logged at DEBUG.",
                self._destination.name,
                reason,
            )
        _logger.debug("%s: encoding failed", self._destination.name, exc_info=error)
