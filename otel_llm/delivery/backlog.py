"""What is encoded and not settled yet: on disk where there is a spool that takes it, else in memory."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from otel_llm.delivery.destination import Limits
from otel_llm.delivery.encoder import Deferred, Record
from otel_llm.delivery.intake import Intake
from otel_llm.delivery.log_limit import LogLimit
from otel_llm.delivery.spool.access import Place, Spool
from otel_llm.delivery.spool.disk import DiskSpool, SpoolBatch

_logger = logging.getLogger(__name__)

#: What goes into one row of what had to wait in memory.
_ROW: Final = Limits(max_records=256, max_bytes=1_000_000)
#: A backlog of this many full batches is long: then new spans are sent in turn with old ones.
_LONG = 2


class Mark(NamedTuple):
    """How far spans have come into the backlog."""

    #: Number of records taken into memory.
    memory: int
    disk: Place | None


@dataclass(slots=True)
class Batch:
    """Records to be sent together. They stay in the backlog until they are settled."""

    bodies: tuple[bytes, ...]
    #: Bytes that they are counted with in memory.
    memory_bytes: int = 0
    disk: DiskSpool | None = None
    spooled: SpoolBatch | None = None


class Backlog:
    """Filled by the writer's thread, emptied by the sender's."""

    def __init__(self, intake: Intake, spool: Spool | None, log_limit: LogLimit) -> None:
        self._intake = intake
        self._log_limit = log_limit
        self.spool = spool
        self._lock = threading.RLock()
        self._waiting: deque[Record] = deque()
        self._taken_to_memory = 0
        self._settled_in_memory = 0
        self._last_row: Place | None = None
        #: The last row of what had waited in memory before.
        self._moved: Place | None = None
        self._newest = False

    def append(self, records: Sequence[Record]) -> None:
        """Take records in. On disk they are free of the queue's bounds; in memory they stay within them."""
        with self._lock:
            self._move_to_disk()
            if not self._waiting and self._to_disk(records):
                return
            self._waiting.extend(records)
            self._taken_to_memory += len(records)

    def defer(self, deferred: Sequence[Deferred]) -> bool:
        """Take first forms in; False if the disk takes none, and in memory they are of no use."""
        with self._lock:
            self._move_to_disk()
            place = None if self._waiting else self._written([each.body for each in deferred], deferred=True)
            if place is None:
                return False
            self._last_row = place
            self._intake.spooled(freed=sum(each.size for each in deferred), spans=len(deferred))
            return True

    def store(self) -> None:
        """Have on disk what had to wait in memory, as far as the disk takes it now."""
        with self._lock:
            self._move_to_disk()

    def _move_to_disk(self) -> None:
        """What waits in memory goes to disk, as far as the disk takes it now."""
        while self.spool is not None and self._waiting:
            records = self._oldest(_ROW)
            if not self._to_disk(records):
                return
            self._moved = self._last_row
            self._settled_in_memory += len(self._taken(records))

    def _to_disk(self, records: Sequence[Record]) -> bool:
        place = self._written([record.body for record in records])
        if place is None:
            return False
        self._last_row = place
        self._intake.spooled(freed=sum(record.size for record in records), spans=len(records))
        return True

    def _written(self, bodies: Sequence[bytes], *, deferred: bool = False) -> Place | None:
        """A new row; None if the disk takes nothing now, for whatever reason: records that nobody keeps would be lost."""
        if self.spool is None:
            return None
        try:
            return self.spool.append(bodies, deferred=deferred)
        except Exception as error:  # noqa: BLE001  (whatever it is, it must not cost the records)
            self._log_fault(error)
            return None

    def _log_fault(self, error: Exception) -> None:
        if self._log_limit.due("disk queue fault"):
            _logger.warning("a fault in otel-llm's disk queue (%s); spans wait in memory meanwhile", type(error).__name__)
        _logger.debug("fault of the disk queue", exc_info=error)

    @property
    def mark(self) -> Mark:
        """How far spans have come by now."""
        return Mark(self._taken_to_memory, self._last_row)

    def is_through(self, mark: Mark) -> bool:
        """Whether everything up to ``mark`` is settled."""
        if self._settled_in_memory < mark.memory:
            return False
        if self.spool is None:
            return True
        return self.spool.is_through(mark.disk) and (not mark.memory or self.spool.is_through(self._moved))

    def next_batch(self, limits: Limits, *, from_disk: bool) -> Batch | None:
        """What to send next: what is in memory, then, ``from_disk``, what is there if this process is the one that sends it."""
        with self._lock:
            self._move_to_disk()
            if self._waiting:
                records = self._taken(self._oldest(limits))
                return Batch(tuple(record.body for record in records), sum(record.size for record in records))
        if self.spool is None or not from_disk:
            return None
        found = self.spool.next_batch(limits, newest=self._newest)
        if found is None:
            return None
        disk, spooled = found
        return Batch(spooled.records, disk=disk, spooled=spooled)

    def _oldest(self, limits: Limits) -> list[Record]:
        """The longest run of the oldest records in memory within the limits, but at least one."""
        chosen: list[Record] = []
        size = 0
        for record in self._waiting:
            size += len(record.body)
            if chosen and (len(chosen) == limits.max_records or size > limits.max_bytes):
                break
            chosen.append(record)
        return chosen

    def _taken(self, records: Sequence[Record]) -> Sequence[Record]:
        """These, the oldest in memory, taken out of it."""
        for _ in records:
            self._waiting.popleft()
        return records

    def give_back(self, batch: Batch, *, turn: bool) -> bool:
        """A batch could not be sent: let it wait where it is safest. ``turn``: the next is one from the other end of the disk queue.

        False if the sender must keep it: there is no disk queue.
        """
        if self.spool is None:
            return False
        self._newest ^= turn
        if batch.spooled is None:
            with self._lock:
                self._waiting.extendleft(Record(body) for body in reversed(batch.bodies))
        return True

    def settle(self, batch: Batch, dead: Sequence[tuple[bytes, str]], limits: Limits, *, in_turn: bool) -> bool:
        """The batch is delivered, but for ``dead``: records that were refused for good, each with the reason.

        ``in_turn``: a long backlog is sent from both ends, in turn. False if the disk refuses; then it must be settled again.
        """
        if batch.spooled is None or batch.disk is None or self.spool is None:
            self._intake.settle(freed=batch.memory_bytes, delivered=len(batch.bodies) - len(dead), rejected=len(dead))
            with self._lock:
                self._settled_in_memory += len(batch.bodies)
            return True
        try:
            if not self.spool.settle(batch.disk, batch.spooled, dead):
                return False
        except Exception as error:  # noqa: BLE001  (whatever it is, the batch must not be sent again)
            self._log_fault(error)
            return False
        if in_turn:
            is_long = self.spool.fullness() * self.spool.settings.max_bytes > _LONG * limits.max_bytes
            self._newest = is_long and not self._newest
        return True

    def close(self) -> None:
        """Close the spool."""
        if self.spool is not None:
            self.spool.close()
