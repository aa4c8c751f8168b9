"""Spans that a destination cannot encode."""

from __future__ import annotations

import logging

from otel_llm.delivery.intake import Intake
from otel_llm.delivery.log_limit import LogLimit

_logger = logging.getLogger(__name__)


class EncodingFaults:
    """Tells of them, without what they say: the message of an exception may quote the span, so it is logged at DEBUG only."""

    def __init__(self, destination: str, intake: Intake, log_limit: LogLimit) -> None:
        self._destination = destination
        self._intake = intake
        self._log_limit = log_limit

    def told(self, error: BaseException) -> None:
        """A span is left out because of ``error``."""
        reason = f"a span could not be encoded ({type(error).__name__})"
        self._intake.failed(reason)
        if self._log_limit.due("encode"):
            _logger.warning(
                "%s: %s and is left out; the others are delivered. The traceback is logged at DEBUG.", self._destination, reason
            )
        _logger.debug("%s: encoding failed", self._destination, exc_info=error)

    def not_now(self, error: BaseException) -> None:
        """Spans that were put off are left as they are because of ``error``, which is none of theirs."""
        if self._log_limit.due("put off"):
            _logger.warning(
                "%s: spans that were put off cannot be encoded now (%s); they wait, and it is tried again",
                self._destination,
                type(error).__name__,
            )
        _logger.debug("%s: encoding is not possible now", self._destination, exc_info=error)
