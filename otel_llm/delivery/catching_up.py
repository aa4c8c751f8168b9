"""The records of spans that ended too fast: made of their first forms on disk, in what time there is."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from otel_llm.delivery.deferring import READING
from otel_llm.delivery.destination import SupportsDeferral
from otel_llm.delivery.encoder import Deferred, Record
from otel_llm.delivery.encoding_faults import EncodingFaults
from otel_llm.delivery.intake import Intake
from otel_llm.delivery.loading import loaded
from otel_llm.delivery.pace import Pace
from otel_llm.delivery.spool.access import DeferredRow, Spool

#: Seconds of work in a step, so that new spans do not wait long.
_STEP_S: Final = 0.005
#: Seconds between two looks for what other processes have left behind.
_LOOK_S: Final = 1.0
#: Seconds after which it is asked again whether all is loaded that takes long to load.
_LOADED_SOON_S: Final = 0.02


class CatchingUp:
    """Makes the records of one row after another. Runs on the writer's thread, when nothing else is to be written.

    The rows are those of this process, and those of processes that are gone. A record is put in the place of its first form, so a span
    is in one place at any time.
    """

    def __init__(
        self,
        deferral: SupportsDeferral,
        intake: Intake,
        spool: Spool,
        *,
        faults: EncodingFaults,
        pace: Pace,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.deferral = deferral
        self._intake = intake
        self._spool = spool
        self._faults = faults
        self._pace = pace
        self._clock = clock
        self._look_at = 0.0
        self._row: DeferredRow | None = None
        self._left: deque[bytes] = deque()
        self._records: list[bytes] = []
        self._rejected = 0

    def step(self) -> float:
        """Work for some milliseconds. Seconds until there may be more to do."""
        if self._row is None and not self._begin():
            return _LOOK_S
        if not loaded(READING):
            return _LOADED_SOON_S
        until = self._clock() + _STEP_S
        while self._left and self._clock() < until:
            self._rejected += not self._make(self._left.popleft(), self._records)
            self._pace.breathe()
        if not self._left:
            self._end()
        return 0.0

    def look_soon(self) -> None:
        """There is something on disk."""
        self._look_at = 0.0

    def records_of(self, deferred: Sequence[Deferred]) -> list[Record]:
        """The records of spans whose first forms could not be stored."""
        records: list[Record] = []
        for each in deferred:
            made: list[bytes] = []
            if not self._make(each.body, made):
                self._intake.settle(freed=each.size, rejected=1)
            elif not made:
                self._intake.settle(freed=each.size, skipped=1)
            for body in made:
                records.append(Record(body))
                self._intake.resize(records[-1].size - each.size)
        return records

    def _make(self, first_form: bytes, records: list[bytes]) -> bool:
        """Add the record, if there is one; False if it cannot be made."""
        try:
            body = self.deferral.encode_deferred(first_form)
        except Exception as error:  # noqa: BLE001  (a destination's fault with one span must not end the delivery)
            self._faults.told(error)
            return False
        if body is not None:
            records.append(body)
        return True

    def _begin(self) -> bool:
        if self._clock() < self._look_at:
            return False
        self._row = self._spool.next_deferred()
        if self._row is None:
            self._look_at = self._clock() + _LOOK_S
            return False
        self._left, self._records, self._rejected = deque(self._row.row.records), [], 0
        return True

    def _end(self) -> None:
        row, self._row = self._row, None
        if row is None or not self._spool.replace(row, self._records):
            self._look_at = self._clock() + _LOOK_S
        elif row.is_own:
            skipped = len(row.row.records) - len(self._records) - self._rejected
            self._intake.recount(rejected=self._rejected, skipped=skipped)
