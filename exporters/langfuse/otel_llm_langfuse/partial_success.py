"""Answers of a receiver of OTLP that took a request, but not all of its spans.

Langfuse itself never answers so; a collector, or another receiver, may. A client must not send such a request again, and which spans
were not taken is not told (opentelemetry.io/docs/specs/otlp, "Partial Success"). So it is logged and counted.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import httpx

from otel_llm.delivery.log_limit import LogLimit

_logger = logging.getLogger(__name__)

#: What a receiver answers that has taken all: nothing, in either encoding.
_NOTHING: Final = frozenset({b"", b"{}"})
_LONGEST_MESSAGE: Final = 200
_MOST_DIGITS: Final = 19


class PartialSuccess(NamedTuple):
    """What a receiver says of a request that it took."""

    rejected: int
    #: Why; with nothing rejected, a warning.
    message: str


class RejectedSpans:
    """Notes what one receiver rejects. ``mask`` masks its messages, which may quote spans."""

    def __init__(self, receiver: str, mask: Callable[[str], str], clock: Callable[[], float] = time.monotonic) -> None:
        self._receiver = receiver
        self._mask = mask
        self._log_limit = LogLimit(clock)
        #: In all.
        self.count = 0

    def note(self, response: httpx.Response) -> None:
        """Log what an answer of success says against it, at most once a minute."""
        told = partial_success_of(response)
        if told is None:
            return
        self.count += told.rejected
        message = _one_line(self._mask(told.message)) or "it gave no reason"
        if told.rejected and self._log_limit.due("rejected"):
            _logger.warning(
                "langfuse: %s rejected %d span(s) of a request that it took: %s. They are not sent again; %d in all so far.",
                self._receiver,
                told.rejected,
                message,
                self.count,
            )
        elif not told.rejected and self._log_limit.due("warning"):
            _logger.warning("langfuse: %s took all spans of a request, and warns: %s", self._receiver, message)


def partial_success_of(response: httpx.Response) -> PartialSuccess | None:
    """What an ``ExportTraceServiceResponse``, binary or JSON, says of partial success; None if nothing, or if it is none."""
    body = response.content
    if body in _NOTHING:
        return None
    told = _of_protobuf(body) if "protobuf" in response.headers.get("content-type", "") else _of_json(body)
    return told if told is not None and (told.rejected or told.message) else None


def _of_protobuf(body: bytes) -> PartialSuccess | None:
    # Not for each process: it loads slowly, and what is sent may be encoded by another.
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

    try:
        told = ExportTraceServiceResponse.FromString(body).partial_success
    except DecodeError:
        return None
    return PartialSuccess(max(told.rejected_spans, 0), told.error_message)


def _of_json(body: bytes) -> PartialSuccess | None:
    """By the JSON mapping of protobuf: an int64 is text, and names are in camelCase, or as in the schema."""
    try:
        told = _either(json.loads(body), "partialSuccess", "partial_success")
    except (ValueError, RecursionError):
        return None
    rejected, message = _either(told, "rejectedSpans", "rejected_spans"), _either(told, "errorMessage", "error_message")
    return PartialSuccess(_count(rejected), message if isinstance(message, str) else "")


def _either(given: Any, *names: str) -> Any:
    return next((given[name] for name in names if name in given), None) if isinstance(given, Mapping) else None


def _count(value: Any) -> int:
    digits = str(value)
    return int(digits) if len(digits) <= _MOST_DIGITS and digits.isascii() and digits.isdigit() else 0


def _one_line(text: str) -> str:
    """The beginning of it, without control characters."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:_LONGEST_MESSAGE]
