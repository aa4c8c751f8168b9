"""From waiting spans to records, in small pieces."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, NamedTuple

from opentelemetry.sdk.trace import ReadableSpan

from otel_llm.delivery.destination import Destination, SupportsDeferral
from otel_llm.delivery.encoding_faults import EncodingFaults
from otel_llm.delivery.intake import Arrival, Intake
from otel_llm.delivery.interrupts import is_for_the_application
from otel_llm.delivery.log_limit import LogLimit
from otel_llm.delivery.pace import Pace
from otel_llm.delivery.size import RECORD_OVERHEAD
from otel_llm.delivery.strip import without_content


class Record(NamedTuple):
    """An encoded span."""

    body: bytes

    @property
    def size(self) -> int:
        """Bytes that it is counted with while it waits."""
        return len(self.body) + RECORD_OVERHEAD


class Deferred(NamedTuple):
    """The first form of a span whose record is to be made later, and the bytes that the span is counted with."""

    body: bytes
    size: int


class Piece(NamedTuple):
    """What is written at a time."""

    records: list[Record]
    deferred: list[Deferred]


#: Where the disk queue is this full, content is left out of new records: losing it is better than losing spans.
STRIP_FROM: Final = 0.9
#: So many spans that wait are not encoded in time, nor are those that have waited for so many seconds: then the first forms are stored
#: instead, if the destination knows any.
DEFER_FROM: Final = 32
DEFER_AFTER_S: Final = 0.045
#: Seconds of encoding after which what there is is written, so that it is on disk soon even where each span takes long.
_PIECE_S: Final = 0.02
#: Spans in memory from which the encoder does not give way to other threads by itself: each time it does, one that is busy keeps the
#: interpreter for 5 ms, and what waits here is not safe yet.
_BEHIND: Final = 128


class Encoder:
    """Turns spans into records of one destination. Runs on the writer's thread; a span that cannot be encoded is rejected."""

    def __init__(
        self,
        destination: Destination,
        intake: Intake,
        *,
        pace: Pace,
        log_limit: LogLimit,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._destination = destination
        self._intake = intake
        self._pace = pace
        self._faults = EncodingFaults(destination.name, intake, log_limit)
        self._clock = clock
        #: Ordinal of the last span taken out of the intake.
        self.taken = 0
        #: Leave content out.
        self.strip = False
        #: What makes first forms of spans that have waited long; None: they are encoded like others.
        self.deferral: SupportsDeferral | None = None
        #: Those that wait are not encoded in time.
        self._hurried = False
        #: Number of spans whose content was left out.
        self.stripped = 0

    def piece(self, max_records: int, max_bytes: int) -> Piece:
        """Encode waiting spans, as many as there are within the limits; they stay accounted for as pending."""
        piece, size = Piece([], []), 0
        self._hurried = self._intake.waiting > DEFER_FROM
        until = self._clock() + _PIECE_S
        while max(len(piece.records), len(piece.deferred)) < max_records and size < max_bytes:
            arrival = self._intake.take() if self._clock() < until else None
            if arrival is None:
                break
            self.taken += 1
            size += self._add(arrival, piece)
            if self._intake.pending < _BEHIND:
                self._pace.breathe()
        return piece

    def _add(self, arrival: Arrival, piece: Piece) -> int:
        """Encode a span, or make its first form; the bytes of either."""
        late = self.deferral if self._hurried or self._clock() - arrival.at_s > DEFER_AFTER_S else None
        body = self._encoded(self._destination.encode if late is None else late.defer, arrival)
        if body is None:
            return 0
        self.stripped += self.strip
        if late is None:
            piece.records.append(Record(body))
            self._intake.resize(piece.records[-1].size - arrival.size)
        else:
            piece.deferred.append(Deferred(body, arrival.size))
        return len(body)

    def _encoded(self, encode: Callable[[ReadableSpan], bytes | None], arrival: Arrival) -> bytes | None:
        try:
            body = encode(without_content(arrival.span) if self.strip else arrival.span)
        except BaseException as error:  # whatever a mask or a mapping raises must not end the delivery
            if is_for_the_application(error):
                raise
            self._reject(error, arrival.size)
            return None
        if body is None:
            self._intake.settle(freed=arrival.size, skipped=1)
        return body

    def _reject(self, error: BaseException, size: int) -> None:
        self._intake.settle(freed=size, rejected=1)
        self._faults.told(error)
