"""What only one call of a model has: the time of its first chunk, and the managed prompt behind it."""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk.trace import ReadableSpan

from otel_llm import semconv as sc
from otel_llm_langfuse import names
from otel_llm_langfuse.readers import Given, amount, count, text
from otel_llm_langfuse.times import iso


def first_chunk_attributes(span: ReadableSpan, given: Given) -> dict[str, Any]:
    """When the first chunk of a stream arrived, not later than the end of the call."""
    waited_s = amount(given, sc.RESPONSE_TIME_TO_FIRST_CHUNK)
    if waited_s is None or span.start_time is None or span.end_time is None:
        return {}
    took_ns = span.end_time - span.start_time
    waited_ns = took_ns if waited_s * 1e9 >= took_ns else int(waited_s * 1e9)
    return {names.COMPLETION_START_TIME: iso(span.start_time + waited_ns)}


def prompt_attributes(given: Given) -> dict[str, Any]:
    """The link to a managed prompt, whose versions Langfuse numbers; without a number there is no link."""
    name, version = text(given, sc.PROMPT_NAME), count(given, sc.PROMPT_VERSION)
    return {} if name is None or version is None else {names.PROMPT_NAME: name, names.PROMPT_VERSION: version}
