"""What has no field of its own in Langfuse, as metadata of the observation. All values are text."""

from __future__ import annotations

from typing import Any, Final

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import format_span_id, format_trace_id

from otel_llm import semconv as sc
from otel_llm.content import json_text
from otel_llm_langfuse import names
from otel_llm_langfuse.level import exception_of
from otel_llm_langfuse.readers import Given, names_under, text, texts
from otel_llm_langfuse.times import iso

_PLAIN: Final = {
    "agent_name": sc.AGENT_NAME,
    "provider": sc.PROVIDER_NAME,
    "upstream_provider": sc.UPSTREAM_PROVIDER,
    "response_id": sc.RESPONSE_ID,
    "stream": sc.REQUEST_STREAM,
    "error_type": sc.ERROR_TYPE,
    "ending": sc.ENDING,
    "model_source": sc.MODEL_SOURCE,
    "model_default": sc.MODEL_DEFAULT,
    "model_set_by": sc.MODEL_SET_BY,
    "model_fallback_from": sc.MODEL_FALLBACK_FROM,
}

_PROMPT: Final = "gen_ai.prompt."
_PROMPT_VARIABLE: Final = "gen_ai.prompt.variable."
#: Beginnings of the names of events that are told otherwise: exceptions, messages, chunks.
_TOLD_OTHERWISE: Final = ("exception", "gen_ai.", "llm.content.", "First Token Stream Event")
_MOST_EVENTS: Final = 100


def metadata(span: ReadableSpan, given: Given) -> dict[str, str]:
    """Attribute names to texts."""
    found: dict[str, Any] = {key: text(given, name) for key, name in _PLAIN.items() if name in given}
    found["finish_reasons"] = ",".join(texts(given, sc.RESPONSE_FINISH_REASONS))
    found["links"] = _links(span)
    found["events"] = _events(span)
    found |= {f"exception.{key}": value for key, value in exception_of(span).items()}
    found |= {name.removeprefix("gen_ai."): text(given, name) for name in prompt_names(given)}
    return {f"{names.METADATA_PREFIX}{key}": value for key, value in found.items() if value}


def prompt_names(given: Given) -> list[str]:
    """The attributes that tell a prompt's name, version or variables; TraceLoop keeps messages under the same prefix."""
    told = (sc.PROMPT_NAME, sc.PROMPT_VERSION)
    return [name for name in names_under(given, _PROMPT) if name in told or name.startswith(_PROMPT_VARIABLE)]


def _events(span: ReadableSpan) -> str:
    """The application's own events, which Langfuse drops, as a JSON list of the first 100."""
    own = [event for event in span.events if not event.name.startswith(_TOLD_OTHERWISE)]
    told = [
        {"name": event.name, "time": iso(event.timestamp), "attributes": dict(event.attributes or {})}
        for event in own[:_MOST_EVENTS]
    ]
    return json_text(told) if told else ""


def _links(span: ReadableSpan) -> str:
    linked = [
        {"trace_id": format_trace_id(link.context.trace_id), "span_id": format_span_id(link.context.span_id)}
        for link in span.links
    ]
    return json_text(linked) if linked else ""
