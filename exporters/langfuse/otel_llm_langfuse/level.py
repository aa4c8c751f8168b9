"""How bad it was: level, status message, and what is known of an exception."""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from otel_llm import semconv as sc
from otel_llm_langfuse import names
from otel_llm_langfuse.readers import Given, as_text, text


def failed(span: ReadableSpan, given: Given) -> bool:
    """Whether a span tells a failure, by its status or by an error type alone."""
    return span.status.status_code is StatusCode.ERROR or text(given, sc.ERROR_TYPE) is not None


def level_attributes(span: ReadableSpan, given: Given) -> dict[str, Any]:
    """Level and status message: ERROR for a failure, WARNING for a call that ended early, nothing else."""
    exception = exception_of(span)
    if failed(span, given):
        kind = text(given, sc.ERROR_TYPE) or exception.get("type")
        message = as_text(span.status.description) or exception.get("message")
        return _told("ERROR", _sentence(kind, message))
    ending = text(given, sc.ENDING)
    return {} if ending is None else _told("WARNING", f"Ended early: {ending}")


def exception_of(span: ReadableSpan) -> dict[str, str]:
    """``type``, ``message`` and ``stacktrace`` of the last exception that was recorded as an event."""
    for event in reversed(span.events):
        if event.name == "exception":
            found = {key: text(event.attributes or {}, f"exception.{key}") for key in ("type", "message", "stacktrace")}
            return {key: value for key, value in found.items() if value is not None}
    return {}


def _told(level: str, message: str | None) -> dict[str, Any]:
    return {names.LEVEL: level} | ({} if message is None else {names.STATUS_MESSAGE: message})


def _sentence(kind: str | None, message: str | None) -> str | None:
    """``Type: message``, without saying the type twice."""
    if kind is None or message is None:
        return kind or message
    words = (kind, kind.rpartition(".")[2])
    return message if message.startswith(words) else f"{kind}: {message}"
