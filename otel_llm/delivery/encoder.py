"""From waiting spans to records, in small pieces."""

from __future__ import annotations

import logging
from typing import Final, NamedTuple

from opentelemetry.sdk.trace import ReadableSpan

from otel_llm.delivery.destination import Destination
from otel_llm.delivery.intake import Intake
from otel_llm.delivery.log_limit import LogLimit
from otel_llm.delivery.pace import Pace
from otel_llm.delivery.size import RECORD_OVERHEAD
from otel_llm.delivery.strip import without_content

_logger = logging.getLogger(__name__)


class Record(NamedTuple):
    """An encoded span."""

    body: bytes

    @property
    def size(self) -> int:
        """Bytes that it is counted with while it waits."""
        return len(self.body) + RECORD_OVERHEAD


#: Where the disk queue is this full, content is left out of new records: losing it is better than losing spans.
STRIP_FROM: Final = 0.9


#: Spans in memory from which the encoder does not give way to other threads by itself: each time it does, one that is busy keeps the
#: interpreter for 5 ms, and what waits here is not safe yet.
_BEHIND: Final = 128


class Encoder:
    """Turns spans into records of one destination. Runs on the writer's thread; a span that cannot be encoded is rejected."""

    def __init__(self, destination: Destination, intake: Intake, *, pace: Pace, log_limit: LogLimit) -> None:
        self._destination = destination
        self._intake = intake
        self._pace = pace
        self._log_limit = log_limit
        #: Ordinal of the last span taken out of the intake.
        self.taken = 0
        #: Leave content out.
        self.strip = False
        #: Number of spans whose content was left out.
        self.stripped = 0

    def piece(self, max_records: int, max_bytes: int) -> list[Record]:
        """Encode waiting spans, as many as there are within the limits; they stay accounted for as pending."""
        records: list[Record] = []
        size = 0
        while len(records) < max_records and size < max_bytes:
            arrival = self._intake.take()
            if arrival is None:
                break
            self.taken += 1
            body = self._encode(arrival.span, arrival.size)
            if body is not None:
                record = Record(body)
                self._intake.resize(record.size - arrival.size)
                records.append(record)
                size += len(body)
            if self._intake.pending < _BEHIND:
                self._pace.breathe()
        return records

    def _encode(self, span: ReadableSpan, size: int) -> bytes | None:
        try:
            body = self._destination.encode(without_content(span) if self.strip else span)
        except Exception as error:  # noqa: BLE001  (a destination's fault with one span must not end the delivery)
            self._reject(error, size)
            return None
        if body is None:
            self._intake.settle(freed=size, skipped=1)
        else:
            self.stripped += self.strip
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
