"""How a failure is told on a span: status, ``error.type`` and, for cancelled work, its ending."""

from __future__ import annotations

import asyncio
import concurrent.futures

from opentelemetry.trace import Span, Status, StatusCode

from otel_llm import semconv as sc

_CANCELLED = (asyncio.CancelledError, concurrent.futures.CancelledError)


def mark_failed(span: Span, error: BaseException) -> None:
    """Set status and ``error.type`` from an exception; cancelled work is marked too, not left unset.

    A generator that is closed before its end has not failed: work inside it was abandoned.
    """
    if isinstance(error, GeneratorExit):
        span.set_attribute(sc.ENDING, sc.ABANDONED)
        return
    span.set_attribute(sc.ERROR_TYPE, error_type(error))
    if isinstance(error, _CANCELLED):
        span.set_attribute(sc.ENDING, sc.CANCELLED)
    span.set_status(Status(StatusCode.ERROR, describe(error)))


def error_type(error: BaseException) -> str:
    """Name of an exception's class, qualified; the same for httpx and httpx2, which share their exceptions' names."""
    kind = type(error)
    module = kind.__module__.partition(".")[0]
    if module == "builtins":
        return kind.__qualname__
    return f"{'httpx' if module == 'httpx2' else module}.{kind.__qualname__}"


def describe(error: BaseException) -> str:
    """``Type: message``, or the type alone, also where the exception cannot tell its message."""
    name = type(error).__name__
    try:
        message = str(error)
    except Exception:  # noqa: BLE001  (an exception of the application's, whose code may fail)
        return name
    return f"{name}: {message}" if message else name
