"""How much is sent at a time after a pause."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from otel_llm.delivery.destination import Limits

#: Pauses in a row that are the destination's as a whole, as far as is known.
_PATIENCE: Final = 2


class Reach:
    """The largest batch that is sent now: the destination's limit, but a single record once it has paused often in a row.

    It doubles with each batch that is taken. A firewall may answer 401 or 403 to the content of one batch, and others may be taken
    then, from the other end of the backlog, up to that one.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = self._full = limits
        self._pauses = 0

    @property
    def is_full(self) -> bool:
        """Whether it is the destination's limit."""
        return self.limits is self._full

    def paused(self) -> bool:
        """The destination pauses; whether the next try is to be at the other end of the backlog."""
        self._pauses += 1
        if self.is_full and self._pauses <= _PATIENCE:
            return False
        self.limits = replace(self._full, max_records=1)
        return True

    def settled(self) -> None:
        """A batch is through."""
        self._pauses = 0
        records = self.limits.max_records * 2
        self.limits = self._full if records >= self._full.max_records else replace(self._full, max_records=records)

    def refused(self) -> None:
        """The destination refuses records. It takes a batch of many to tell whether that is the fault of the records."""
        self.limits = self._full
