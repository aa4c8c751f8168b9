"""What this process drops from the disk queue, whoever wrote it."""

from __future__ import annotations

import logging
from typing import Final

from otel_llm.delivery.log_limit import LogLimit
from otel_llm.delivery.spool.dropping import FULL, TOO_OLD

_logger = logging.getLogger(__name__)

_REMEDIES: Final = {
    FULL: "the destination takes less than there is, or is not reachable; OTEL_LLM_SPOOL_MAX_BYTES bounds what waits",
    TOO_OLD: "the destination was not reachable for OTEL_LLM_SPOOL_MAX_AGE seconds; `otel-llm doctor` tells why",
}


class Drops:
    """Counts them, and says so once a minute."""

    def __init__(self, destination: str, log_limit: LogLimit) -> None:
        self._destination = destination
        self._log_limit = log_limit
        self._untold: dict[str, int] = {}
        #: Spans that other processes wrote, by reason. The writers' own accounts have them as well, where those are alive.
        self.of_others: dict[str, int] = {}

    def add(self, reason: str, spans: int, *, own: bool) -> None:
        """Spans are gone for good."""
        self._untold[reason] = self._untold.get(reason, 0) + spans
        if not own:
            self.of_others[reason] = self.of_others.get(reason, 0) + spans

    def tell(self, *, at_end: bool = False) -> None:
        """Say what was not said yet, if a line is due."""
        if not self._untold or not (at_end or self._log_limit.due("dropped from disk")):
            return
        told, self._untold = self._untold, {}
        for reason, spans in told.items():
            _logger.warning(
                "%s: %d span(s) were dropped from the disk queue since the last such line (%s): %s",
                self._destination,
                spans,
                reason,
                _REMEDIES[reason],
            )
