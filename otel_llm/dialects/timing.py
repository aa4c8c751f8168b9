"""What the events of a span tell of its course: when the first chunk came, and which error it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from otel_llm import semconv as sc
from otel_llm.dialects.reading import Reading
from otel_llm.protocols.values import text

#: OpenInference, OpenLLMetry and its older versions.
_CHUNKS: Final = frozenset({"First Token Stream Event", "gen_ai.content.completion.chunk", "llm.content.completion.chunk"})
_NS_PER_S: Final = 1_000_000_000


def read(given: Mapping[str, Any], span: ReadableSpan) -> Reading | None:
    """Seconds to the first chunk, which also tells that the call was streamed; the type of the exception that ended a span."""
    if not span.events:
        return None
    reading = Reading()
    arrived = next((event.timestamp for event in span.events if event.name in _CHUNKS), None)
    if arrived is not None and span.start_time is not None and arrived >= span.start_time:
        reading.told[sc.RESPONSE_TIME_TO_FIRST_CHUNK] = (arrived - span.start_time) / _NS_PER_S
        reading.told[sc.REQUEST_STREAM] = True
    if span.status.status_code is StatusCode.ERROR and sc.ERROR_TYPE not in given:
        raised = (text((event.attributes or {}).get("exception.type")) for event in span.events if event.name == "exception")
        if kind := next((kind for kind in raised if kind), None):
            reading.told[sc.ERROR_TYPE] = kind
    return reading
