"""How long to bear with a fault that a single answer cannot judge."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from otel_llm.delivery import Outcome, Retry, Split
from otel_llm_insforge.answers import Fault, outcome_of

#: PostgREST reads the schema again within about a second of a migration.
SCHEMA_GRACE_S: Final = 5.0
UNKNOWN_TRIES: Final = 5
_LONGEST_WAIT_S: Final = 30.0


class Patience:
    """Judges faults of one store by those just before."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._schema_since: float | None = None
        self._unknown = 0

    def delivered(self) -> None:
        """Start afresh: a batch was taken."""
        self._schema_since, self._unknown = None, 0

    def judge(self, fault: Fault, reason: str, after_s: float | None) -> Outcome:
        """The outcome of ``fault``: a missing table is retried for some seconds, an unknown fault some times and then bisected.

        After a bisection the count starts afresh, so that an outage of this kind lasts minutes before a first row is given up.
        """
        if fault is Fault.SCHEMA and self._in_grace():
            return Retry(reason, after_s=1.0)
        if fault is Fault.UNKNOWN:
            return self._unknown_fault(reason)
        return outcome_of(fault, reason, after_s)

    def _in_grace(self) -> bool:
        now = self._clock()
        if self._schema_since is None:
            self._schema_since = now
        return now - self._schema_since < SCHEMA_GRACE_S

    def _unknown_fault(self, reason: str) -> Outcome:
        self._unknown += 1
        if self._unknown <= UNKNOWN_TRIES:
            return Retry(reason, after_s=min(2.0 ** (self._unknown - 1), _LONGEST_WAIT_S))
        self._unknown = 0
        return Split(reason)
