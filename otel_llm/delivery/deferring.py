"""First forms of spans that are put off: the spans as they are, as OTLP."""

from __future__ import annotations

import os
import struct
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from typing import Final

from opentelemetry.sdk.trace import ReadableSpan

from otel_llm.content_policy import ContentPolicy
from otel_llm.content_spans import told
from otel_llm.delivery.otlp import encode_request

#: What a destination makes of a span.
Encode = Callable[[ReadableSpan], bytes | None]

#: Begins what is no span: a record that is made already.
_RECORD: Final = b"\0"
#: Loads protobuf, which takes long and is seldom needed.
_READING: Final = "otel_llm.delivery.otlp_reading"
#: Held meanwhile. A child that is forked then would have half of it, and wait for ever for the rest.
_loading = threading.Lock()
#: Seconds for which a fork waits for it.
_LONGEST_S: Final = 5.0
_held: list[bool] = []


def deferred(span: ReadableSpan, content: ContentPolicy, encode: Encode) -> bytes | None:
    """The span with its ``content`` as the policy has it; its record, made by ``encode``, where OTLP cannot carry it as it is."""
    try:
        return encode_request(told(span, content), strict=True)
    except (AttributeError, TypeError, ValueError, RecursionError, struct.error):
        return as_deferred(encode(span))


def as_deferred(record: bytes | None) -> bytes | None:
    """A record that is made already, among what is put off."""
    return None if record is None else _RECORD + record


def encoded(form: bytes, encode: Encode) -> bytes | None:
    """The record of what :func:`deferred` gave. Raises ValueError for anything else."""
    if form.startswith(_RECORD):
        return form.removeprefix(_RECORD)
    (span,) = import_module(_READING).decode_request(form)
    return encode(span)


def can_read() -> bool:
    """Whether :func:`encoded` takes no longer than usual. If not, what it needs is loaded meanwhile, on a thread of its own."""
    if _READING in sys.modules and not _loading.locked():
        return True
    if _loading.acquire(blocking=False):
        threading.Thread(target=_load, name="otel-llm-loading", daemon=True).start()
    return False


def _load() -> None:
    try:
        import_module(_READING)
    finally:
        _loading.release()


def _hold() -> None:
    _held.append(_loading.acquire(timeout=_LONGEST_S))


def _let_go() -> None:
    if _held and _held.pop():
        _loading.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_hold, after_in_parent=_let_go, after_in_child=_let_go)
