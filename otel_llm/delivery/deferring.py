"""First forms of spans that are put off: the spans as they are, as OTLP."""

from __future__ import annotations

import struct
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
READING: Final = "otel_llm.delivery.otlp_reading"


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
    (span,) = import_module(READING).decode_request(form)
    return encode(span)
