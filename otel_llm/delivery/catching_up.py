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
from otel_llm.delivery.interrupts import is_for_the_application
from otel_llm.delivery.loading import loaded, why_not_loaded
from otel_llm.delivery.pace import Pace
from otel_llm.delivery.spool.access import DeferredRow, Spool
from otel_llm.delivery.unreadable import unreadable

#: Seconds of work in a step, so that new spans do not wait long.
_STEP_S: Final = 0.005
#: Seconds between two looks for what other processes have left behind.
_LOOK_S: Final = 1.0
#: Seconds after which it is asked again whether all is loaded that takes long to load.
_LOADED_SOON_S: Final = 0.02
#: What is the fault of the moment rather than of the span: no open files or no memory are left, say.
_NOT_NOW: Final = (ImportError, OSError, MemoryError)
#: Seconds until it is tried again then, and how often at most for one span, so that none holds up the others for ever.
_AGAIN_S: Final = 1.0
_MOST_TRIES: Final = 60


class NotNowError(Exception):
    """A record cannot be made at this moment."""


class CatchingUp:
    """Makes the records of one row after another. Runs on the writer's thread, when nothing else is to be written.

    The rows are those of this process, and those of processes that are gone. A record is put in the place of its first form, so a span
    is in one place at any time. A first form that cannot be read stays there, too, until the sender makes a dead letter of it.
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
        self._again_at = 0.0
        self._tries = 0

    def step(self) -> float:
        """Work for some milliseconds. Seconds until there may be more to do."""
        if self._row is None and not self._begin():
            return _LOOK_S
        if self._clock() < self._again_at:
            return _LOOK_S
        if not loaded(READING):
            return self._wait_for_loading()
        until = self._clock() + _STEP_S
        try:
            while self._left and self._clock() < until:
                self._make(self._left[0], self._records)
                self._left.popleft()
                self._pace.breathe()
        except NotNowError:
            return _LOOK_S
        if not self._left:
            self._end()
        return 0.0

    def _wait_for_loading(self) -> float:
        error = why_not_loaded(READING)
        if error is None:
            return _LOADED_SOON_S
        self._faults.not_now(error)
        return _LOOK_S

    def look_soon(self) -> None:
        """There is something on disk."""
        self._look_at = 0.0

    def records_of(self, deferred: Sequence[Deferred]) -> tuple[list[Record], list[Deferred]]:
        """The records of spans whose first forms could not be stored, and those of which none can be made at this moment."""
        records: list[Record] = []
        for place, each in enumerate(deferred):
            made: list[bytes] = []
            try:
                self._make(each.body, made)
            except NotNowError:
                return records, list(deferred[place:])
            if not made:
                self._intake.settle(freed=each.size, skipped=1)
            for body in made:
                records.append(Record(body))
                self._intake.resize(records[-1].size - each.size)
        return records, []

    def _make(self, first_form: bytes, records: list[bytes]) -> None:
        """Add the record, if there is one, or what stands for one that cannot be made. Raises NotNowError."""
        if self._clock() < self._again_at:
            raise NotNowError
        try:
            body = self.deferral.encode_deferred(first_form)
        except BaseException as error:  # whatever a mask or a mapping raises must not end the delivery
            if is_for_the_application(error):
                raise
            self._retry(error)
            self._faults.told(error)
            body = unreadable(first_form, error)
        self._tries = 0
        if body is not None:
            records.append(body)

    def _retry(self, error: BaseException) -> None:
        """Raise NotNowError if the fault may be over when it is tried again."""
        if not isinstance(error, _NOT_NOW) or self._tries >= _MOST_TRIES:
            return
        self._tries += 1
        self._again_at = self._clock() + _AGAIN_S
        self._faults.not_now(error)
        raise NotNowError from error

    def _begin(self) -> bool:
        if self._clock() < self._look_at:
            return False
        self._row = self._spool.next_deferred()
        if self._row is None:
            self._look_at = self._clock() + _LOOK_S
            return False
        self._left, self._records = deque(self._row.row.records), []
        return True

    def _end(self) -> None:
        row, self._row = self._row, None
        if row is None or not self._spool.replace(row, self._records):
            self._look_at = self._clock() + _LOOK_S
        elif row.is_own:
            self._intake.recount(skipped=len(row.row.records) - len(self._records))
